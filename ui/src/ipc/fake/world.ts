/** Everything the fake engine remembers. No material is kept: only a mark of it. */
import type { AgentView } from '../generated/AgentView';
import type { AuditView } from '../generated/AuditView';
import type { CredentialVersionView } from '../generated/CredentialVersionView';
import type { ConnectionView } from '../generated/ConnectionView';
import type { CredentialView } from '../generated/CredentialView';
import type { FlowView } from '../generated/FlowView';
import type { GrantView } from '../generated/GrantView';
import type { KeychainState } from '../generated/KeychainState';
import type { ProposalView } from '../generated/ProposalView';
import type { ServiceView } from '../generated/ServiceView';
import type { SettingsView } from '../generated/SettingsView';
import type { Tag } from '../generated/Tag';
import type { VaultState } from '../generated/VaultState';
import { CallError } from '../errors';
import { catalogue } from './catalogue';
import { seeded, word, type Random } from './random';

export const DAY = 86_400_000;

export type StoredAgent = Omit<AgentView, 'grants'>;
export type StoredCredential = Omit<CredentialView, 'grants' | 'age_days'>;
export type Entry = AuditView & { time: number };

export interface World {
  random: Random;
  vault: VaultState;
  keychain: KeychainState;
  password: string;
  recovery: string;
  paused: boolean;
  warnings: string[];
  settings: SettingsView;
  services: ServiceView[];
  credentials: StoredCredential[];
  versions: Map<string, CredentialVersionView[]>;
  agents: StoredAgent[];
  grants: GrantView[];
  connections: ConnectionView[];
  /** Newest first. */
  flows: FlowView[];
  /** What the person at the provider does. */
  consent: 'agree' | 'hold' | 'less' | 'deny' | 'refuse';
  proposals: ProposalView[];
  /** Oldest first. */
  record: Entry[];
  seq: number;
  changed(...tags: Tag[]): void;
}

export function emptyWorld(changed: (tags: Tag[]) => void): World {
  return {
    random: seeded(20261121),
    vault: 'absent',
    keychain: 'used',
    password: '',
    recovery: '',
    paused: false,
    warnings: [],
    settings: { port: 47821, record: 'relaxed', lock_after_minutes: 10, notifications: true },
    services: catalogue(),
    credentials: [],
    versions: new Map(),
    agents: [],
    grants: [],
    connections: [],
    flows: [],
    consent: 'agree',
    proposals: [],
    record: [],
    seq: 0,
    changed: (...tags) => changed(tags),
  };
}

export function proxyBase(world: World): string {
  return `http://127.0.0.1:${world.settings.port}`;
}

export function found<T extends { name: string; id: string }>(list: T[], name: string, noun: string): T {
  const hit = list.find((one) => one.name === name || one.id === name);
  if (!hit) throw new CallError('not_found', `There is no ${noun} named “${name}”.`, '');
  return hit;
}

export function mustBeFree(list: { name: string }[], name: string, noun: string): void {
  if (!/^[a-z0-9][a-z0-9._-]{0,62}$/i.test(name)) {
    throw new CallError(
      'usage',
      `“${name}” cannot be the name of ${noun}.`,
      'Use letters, digits, dots, dashes and underscores, up to 63, beginning with a letter or digit.',
    );
  }
  if (list.some((one) => one.name === name)) {
    throw new CallError('conflict', `There is already ${noun} named “${name}”.`, 'Choose another name.');
  }
}

export function makeId(world: World, prefix: string): string {
  return `${prefix}_${word(world.random, 12)}`;
}

export function iso(time: number): string {
  return new Date(time).toISOString();
}

/** What the grant allows, in the words the engine uses. */
export function sentence(grant: GrantView): string {
  let text = `${grant.agent} may use ${grant.credential}`;
  if (grant.methods.length > 0) text += ` for ${grant.methods.join(', ')}`;
  if (grant.paths.length > 0) text += ` on ${grant.paths.join(', ')}`;
  if (grant.rate) text += `, at most ${grant.rate}`;
  if (grant.hours) text += `, between ${grant.hours} UTC`;
  if (grant.expires) text += `, until ${grant.expires.slice(0, 10)}`;
  return text;
}

export function remember(world: World, entry: Partial<AuditView> & { result: string }, time = Date.now()): Entry {
  world.seq += 1;
  const whole: Entry = {
    time,
    seq: world.seq,
    event: `EVT-${word(world.random, 10).toUpperCase()}`,
    at: iso(time),
    code: null,
    reason: null,
    agent: null,
    credential: null,
    service: null,
    grant: null,
    method: null,
    host: null,
    path: null,
    status: null,
    bytes_in: null,
    bytes_out: null,
    model: null,
    tokens_in: null,
    tokens_out: null,
    tokens_cached: null,
    head_ms: null,
    total_ms: null,
    own_ms: null,
    ...entry,
  };
  world.record.push(whole);
  return whole;
}

/** Writes down what the human did. */
export function act(world: World, code: string, who: { agent?: string; credential?: string; service?: string }): void {
  remember(world, {
    result: 'act',
    code,
    reason: 'in the window',
    agent: who.agent ?? null,
    credential: who.credential ?? null,
    service: who.service ?? null,
  });
}

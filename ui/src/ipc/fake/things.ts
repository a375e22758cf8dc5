/** The fake credentials, agents, grants and services. */
import { CallError } from '../errors';
import type { AddCredentialRequest } from '../generated/AddCredentialRequest';
import type { AddGrantRequest } from '../generated/AddGrantRequest';
import type { AddServiceRequest } from '../generated/AddServiceRequest';
import type { AgentTokenView } from '../generated/AgentTokenView';
import type { AgentView } from '../generated/AgentView';
import type { CredentialAddedView } from '../generated/CredentialAddedView';
import type { CredentialView } from '../generated/CredentialView';
import type { GrantView } from '../generated/GrantView';
import type { RecognisedView } from '../generated/RecognisedView';
import type { SetGrantRequest } from '../generated/SetGrantRequest';
import type { WiringView } from '../generated/WiringView';
import { recognise as look, trimmed } from './catalogue';
import { mark, word } from './random';
import { found, iso, makeId, mustBeFree, proxyBase, remember, sentence, type StoredAgent, type StoredCredential, type World } from './world';

const DAY = 86_400_000;

export function credentialView(world: World, one: StoredCredential): CredentialView {
  const stored = Date.parse(one.rotated ?? one.created);
  const grants = world.grants.filter((grant) => grant.credential === one.name).map(({ grant, agent }) => ({ grant, agent }));
  return { ...one, age_days: Math.floor((Date.now() - stored) / DAY), grants };
}

export function agentView(world: World, one: StoredAgent): AgentView {
  return { ...one, grants: world.grants.filter((grant) => grant.agent === one.name) };
}

export function recognise(world: World, secret: string): RecognisedView {
  const bare = trimmed(secret);
  const hit = look(bare);
  const base = hit?.service ?? 'key';
  let name = base;
  for (let n = 2; world.credentials.some((one) => one.name === name); n += 1) name = `${base}-${n}`;
  const title = world.services.find((one) => one.name === hit?.service)?.title;
  return { service: hit?.service ?? null, service_title: title ?? null, label: hit?.label ?? null, suggested_name: name, trimmed: bare !== secret };
}

export function addCredential(world: World, asked: AddCredentialRequest): CredentialAddedView {
  mustBeFree(world.credentials, asked.name, 'a credential');
  const service = found(world.services, asked.service, 'service');
  const bare = trimmed(asked.secret);
  if (bare.length < 4) throw new CallError('usage', 'The key is empty or too short to be one.', 'Paste the whole key.');
  const fingerprint = mark(bare);
  const duplicate = world.credentials.find((one) => one.fingerprint === fingerprint);
  const now = iso(Date.now());
  const id = makeId(world, 'cred');
  const kind = asked.kind ?? (service.auth === 'basic' ? 'basic' : 'api-key');
  world.credentials.push({
    name: asked.name, id, service: service.name, service_title: service.title, kind, fingerprint, state: 'active', version: 1,
    created: now, rotated: null, last_used: null, expires: asked.expires ? iso(Date.parse(asked.expires)) : null,
  });
  world.versions.set(id, [{ version: 1, stored: now, fingerprint, current: true }]);
  act(world, 'credential.add', { credential: asked.name });
  world.changed('credentials', 'activity');
  return { credential: asked.name, id, kind, fingerprint, duplicate_of: duplicate?.name ?? null };
}

export function rotate(world: World, name: string, secret: string, expires: string | null | undefined): CredentialAddedView {
  const one = found(world.credentials, name, 'credential');
  one.version += 1;
  one.fingerprint = mark(trimmed(secret));
  one.rotated = iso(Date.now());
  one.expires = expires ? iso(Date.parse(expires)) : null;
  const versions = (world.versions.get(one.id) ?? []).map((version) => ({ ...version, current: false }));
  world.versions.set(one.id, [{ version: one.version, stored: one.rotated, fingerprint: one.fingerprint, current: true }, ...versions]);
  act(world, 'credential.rotate', { credential: one.name });
  world.changed('credentials', 'activity');
  return { credential: one.name, id: one.id, kind: one.kind, fingerprint: one.fingerprint, duplicate_of: null };
}

export function setCredentialState(world: World, name: string, state: string, verb: string): CredentialView {
  const one = found(world.credentials, name, 'credential');
  if (one.state === 'revoked') throw new CallError('conflict', `“${one.name}” is revoked; that cannot be undone.`, 'Add the new key as a new credential.');
  one.state = state;
  act(world, `credential.${verb}`, { credential: one.name });
  world.changed('credentials', 'activity');
  return credentialView(world, one);
}

export function removeCredential(world: World, name: string): void {
  const one = found(world.credentials, name, 'credential');
  world.credentials = world.credentials.filter((other) => other !== one);
  world.grants = world.grants.filter((grant) => grant.credential !== one.name);
  act(world, 'credential.remove', { credential: one.name });
  world.changed('credentials', 'grants', 'activity');
}

export function issueToken(world: World, name: string, ttl: string | null | undefined, fresh: boolean): AgentTokenView {
  const days = Number.parseInt(ttl ?? '30d', 10);
  if (!(days >= 1 && days <= 90)) throw new CallError('usage', `“${ttl}” is not a life a token may have.`, 'Choose 1 to 90 days.');
  if (fresh) {
    mustBeFree(world.agents, name, 'an agent');
    world.agents.push({ name, id: makeId(world, 'agt'), state: 'active', created: iso(Date.now()), expires: null, last_seen: null });
  }
  const one = found(world.agents, name, 'agent');
  one.expires = iso(Date.now() + days * DAY);
  if (one.state === 'expired') one.state = 'active';
  act(world, fresh ? 'agent.add' : 'agent.renew', { agent: one.name });
  world.changed('agents', 'activity');
  const token = `eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.${word(world.random, 96)}.${word(world.random, 43)}`;
  return { agent: one.name, id: one.id, token, expires: one.expires };
}

export function setAgentState(world: World, name: string, state: string, verb: string): AgentView {
  const one = found(world.agents, name, 'agent');
  one.state = state;
  act(world, `agent.${verb}`, { agent: one.name });
  world.changed('agents', 'activity');
  return agentView(world, one);
}

export function removeAgent(world: World, name: string): void {
  const one = found(world.agents, name, 'agent');
  world.agents = world.agents.filter((other) => other !== one);
  world.grants = world.grants.filter((grant) => grant.agent !== one.name);
  act(world, 'agent.remove', { agent: one.name });
  world.changed('agents', 'grants', 'activity');
}

export function wiring(world: World, name: string): WiringView {
  const agent = found(world.agents, name, 'agent');
  const view: WiringView = { agent: agent.name, variables: [], by_hand: [] };
  for (const grant of world.grants.filter((one) => one.agent === agent.name)) {
    const variables: Record<string, [url: string, token: string, suffix: string]> = {
      anthropic: ['ANTHROPIC_BASE_URL', 'ANTHROPIC_AUTH_TOKEN', ''],
      openai: ['OPENAI_BASE_URL', 'OPENAI_API_KEY', '/v1'],
      google_gemini: ['GOOGLE_GEMINI_BASE_URL', 'GEMINI_API_KEY', ''],
    };
    const names = variables[grant.service];
    if (!names) {
      view.by_hand.push({ service: grant.service, credential: grant.credential, base_url: grant.base_url });
      continue;
    }
    view.variables.push({ name: names[0], value: grant.base_url + names[2], is_token: false });
    view.variables.push({ name: names[1], value: '${CLAVIGER_TOKEN}', is_token: true });
  }
  return view;
}

export function addGrant(world: World, asked: AddGrantRequest): GrantView {
  const agent = found(world.agents, asked.agent, 'agent');
  const credential = found(world.credentials, asked.credential, 'credential');
  if (world.grants.some((one) => one.agent === agent.name && one.credential === credential.name)) {
    throw new CallError('conflict', `${agent.name} already holds a grant on ${credential.name}.`, 'Change that grant instead.');
  }
  const grant: GrantView = {
    grant: makeId(world, 'grt'), agent: agent.name, credential: credential.name, service: credential.service,
    base_url: `${proxyBase(world)}/g/${word(world.random, 26)}`,
    methods: asked.methods ?? [], paths: asked.paths ?? [], rate: asked.rate || null, hours: asked.hours || null,
    created: iso(Date.now()), expires: life(asked.expires), sentence: '',
  };
  grant.sentence = sentence(grant, credential.service_title);
  world.grants.push(grant);
  act(world, 'grant.add', { agent: agent.name, credential: credential.name });
  world.changed('grants', 'activity');
  return grant;
}

export function setGrant(world: World, asked: Partial<SetGrantRequest> & { grant: string }): GrantView {
  const grant = world.grants.find((one) => one.grant === asked.grant);
  if (!grant) throw new CallError('not_found', 'This grant is gone.', '');
  if (asked.methods) grant.methods = asked.methods;
  if (asked.paths) grant.paths = asked.paths;
  if (asked.rate != null) grant.rate = asked.rate || null;
  if (asked.hours != null) grant.hours = asked.hours || null;
  if (asked.expires != null) grant.expires = life(asked.expires);
  grant.sentence = sentence(grant, world.services.find((one) => one.name === grant.service)?.title ?? grant.service);
  act(world, 'grant.set', { agent: grant.agent, credential: grant.credential });
  world.changed('grants', 'activity');
  return grant;
}

export function removeGrant(world: World, id: string): void {
  const grant = world.grants.find((one) => one.grant === id);
  if (!grant) throw new CallError('not_found', 'This grant is gone.', '');
  world.grants = world.grants.filter((one) => one !== grant);
  act(world, 'grant.remove', { agent: grant.agent, credential: grant.credential });
  world.changed('grants', 'activity');
}

export function addService(world: World, asked: Partial<AddServiceRequest> & { name: string; base_url: string; auth: string }) {
  mustBeFree(world.services, asked.name, 'a service');
  const url = URL.canParse(asked.base_url) ? new URL(asked.base_url) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) throw new CallError('usage', `“${asked.base_url}” is not a web address.`, 'It begins with https:// and a host.');
  if (url.protocol === 'http:' && !asked.allow_private) {
    throw new CallError('usage', 'Plain HTTP would show the credential to the network.', 'Use https://, or mark the service as private if it runs on this machine.');
  }
  const service = {
    name: asked.name, id: makeId(world, 'svc'), title: asked.name, base_url: asked.base_url, auth: asked.auth,
    allow_private: asked.allow_private ?? false, own_ca: Boolean(asked.ca_pem), built_in: false, metered: Boolean(asked.usage), console_url: '',
  };
  world.services.push(service);
  act(world, 'service.add', { service: asked.name });
  world.changed('services', 'activity');
  return service;
}

function life(text: string | null | undefined): string | null {
  if (!text) return null;
  const days = /^(\d+)d$/.exec(text);
  return iso(days ? Date.now() + Number(days[1]) * DAY : Date.parse(text));
}

function act(world: World, code: string, who: { agent?: string; credential?: string; service?: string }): void {
  remember(world, { result: 'act', code, reason: 'in the window', agent: who.agent ?? null, credential: who.credential ?? null, service: who.service ?? null });
}

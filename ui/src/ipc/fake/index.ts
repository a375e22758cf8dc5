/**
 * The whole engine in memory, for design, pictures and tests in a plain browser. Never part of the product's build.
 * The address chooses the world: `?vault=absent|locked`, `?data=empty`, `?keychain=…`, `?fail=<call>`, `?slow=<call>`,
 * `?traffic=off`, `?warn=1`, `?consent=…` (see oauth.ts), `?connection=broken`.
 */
import { CALLS } from '../calls';
import { SECRET_STAYS } from '../clipboard';
import { CallError } from '../errors';
import type { KeychainState } from '../generated/KeychainState';
import type { Tag } from '../generated/Tag';
import type { VaultState } from '../generated/VaultState';
import type { Transport } from '../transport';
import * as agents from './agents';
import * as connections from './connections';
import { targets } from './consents';
import * as credentials from './credentials';
import { fillDemo } from './demo';
import { inspect } from './inspect';
import * as oauth from './oauth';
import * as proposals from './proposals';
import * as reports from './reports';
import { keepComing } from './traffic';
import * as vault from './vault';
import { emptyWorld, found, remember, type World } from './world';

const WHILE_LOCKED = new Set([
  'vault.status',
  'vault.create',
  'vault.unlock',
  'vault.lock',
  'settings.show',
  'settings.set',
]);

// The contract's types guard the callers; here a call's params are whatever came.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Handler = (world: World, params: any) => unknown;

const HANDLERS: Record<keyof typeof CALLS, Handler> = {
  'vault.status': (world) => vault.status(world),
  'vault.create': (world, { password, no_keychain }) => vault.create(world, password, no_keychain ?? false),
  'vault.unlock': (world, asked) => vault.unlock(world, asked),
  'vault.lock': (world) => vault.lock(world),
  'vault.change_password': (world, { password, new_password }) => vault.changePassword(world, password, new_password),
  'vault.renew_recovery': (world, { password }) => vault.renewRecovery(world, password),
  'service.list': (world) => world.services,
  'service.show': (world, { name }) => found(world.services, name, 'service'),
  'service.add': (world, asked) => credentials.addService(world, asked),
  'service.remove': (world, { name }) => {
    const one = found(world.services, name, 'service');
    if (one.built_in) throw new CallError('refused', `“${one.title}” comes with Claviger and cannot be removed.`, '');
    if (world.credentials.some((other) => other.service === name)) {
      throw new CallError('conflict', `Credentials of “${name}” are still stored.`, 'Remove them first.');
    }
    world.services = world.services.filter((other) => other !== one);
    world.changed('services');
    return {};
  },
  'credential.kinds': () => [
    { kind: 'api-key', about: 'One text: an API key or token.', input: 'text' },
    { kind: 'basic', about: 'A user name and a password.', input: '{"username":"…","password":"…"}' },
    { kind: 'oauth', about: 'Consent at a service, kept fresh.', input: '' },
  ],
  'credential.recognise': (world, { secret }) => credentials.recognise(world, secret),
  'credential.list': (world) => world.credentials.map((one) => credentials.credentialView(world, one)),
  'credential.show': (world, { name }) =>
    credentials.credentialView(world, found(world.credentials, name, 'credential')),
  'credential.history': (world, { name }) => world.versions.get(found(world.credentials, name, 'credential').id) ?? [],
  'credential.add': (world, asked) => credentials.addCredential(world, asked),
  'credential.rotate': (world, { name, secret, expires }) => credentials.rotate(world, name, secret, expires),
  'credential.revoke': (world, { name }) => credentials.setCredentialState(world, name, 'revoked', 'revoke'),
  'credential.freeze': (world, { name }) => credentials.setCredentialState(world, name, 'frozen', 'freeze'),
  'credential.unfreeze': (world, { name }) => credentials.setCredentialState(world, name, 'active', 'unfreeze'),
  'credential.remove': (world, { name }) => credentials.removeCredential(world, name),
  'agent.list': (world) => world.agents.map((one) => agents.agentView(world, one)),
  'agent.show': (world, { name }) => agents.agentView(world, found(world.agents, name, 'agent')),
  'agent.wiring': (world, { name }) => agents.wiring(world, name),
  'agent.add': (world, { name, ttl }) => agents.issueToken(world, name, ttl, true),
  'agent.renew': (world, { name, ttl }) => agents.issueToken(world, name, ttl, false),
  'agent.revoke': (world, { name }) => agents.setAgentState(world, name, 'revoked', 'revoke'),
  'agent.pause': (world, { name }) => agents.setAgentState(world, name, 'paused', 'pause'),
  'agent.resume': (world, { name }) => agents.setAgentState(world, name, 'active', 'resume'),
  'agent.pause_all': (world) => pauseAll(world, true),
  'agent.resume_all': (world) => pauseAll(world, false),
  'agent.remove': (world, { name }) => agents.removeAgent(world, name),
  'grant.list': (world) => world.grants,
  'grant.show': (world, { name }) => world.grants.find((one) => one.grant === name),
  'grant.add': (world, asked) => agents.addGrant(world, asked),
  'grant.set': (world, asked) => agents.setGrant(world, asked),
  'grant.remove': (world, { name }) => agents.removeGrant(world, name),
  'oauth.targets': (world) => targets().filter((one) => world.services.some((other) => other.name === one.service)),
  'oauth.discover': async (world, asked) => {
    await new Promise((done) => setTimeout(done, 400));
    return oauth.discover(world, asked);
  },
  'oauth.prepare': (_, { name }) => oauth.prepare(name),
  'oauth.begin': (world, asked) => oauth.begin(world, asked),
  'oauth.flows': (world) => world.flows,
  'oauth.flow': (world, { id }) => oauth.flowOf(world, id),
  'oauth.cancel': (world, { id }) => oauth.cancel(world, id),
  'oauth.dismiss': (world, { id }) => oauth.dismiss(world, id),
  'oauth.status': (world, { credential }) =>
    world.connections.filter((one) => !credential || one.credential === credential),
  'oauth.refresh': (world, { credential }) => connections.refresh(world, credential),
  'oauth.reconnect': (world, { credential }) => oauth.reconnect(world, credential),
  'oauth.disconnect': (world, { credential }) => connections.disconnect(world, credential),
  'token.inspect': (_, { token }) => inspect(token),
  'proposal.list': (world) => proposals.list(world),
  'proposal.show': (world, { name }) => proposals.list(world).find((one) => one.proposal === name),
  'proposal.allow': (world, asked) => proposals.allow(world, asked),
  'proposal.deny': (world, { proposal }) => proposals.deny(world, proposal),
  'policy.explain': () => ({
    allowed: true,
    code: null,
    rule: 'the grant allows any method on any path',
    grant: null,
    credential: null,
  }),
  'usage.report': (world, { since, by }) => reports.report(world, since, by),
  'usage.overview': (world, { range }) => reports.overview(world, range),
  'audit.list': (world, asked) => reports.list(world, asked),
  'audit.verify': (world) => ({
    ok: true,
    records: world.record.length,
    head: 'b0c4'.repeat(16),
    first_bad: null,
    problem: null,
  }),
  'settings.show': (world) => world.settings,
  'settings.set': (world, to) => vault.setSettings(world, to),
};

export function fakeEngine(search: string): Transport & { world: World; call: Transport['call'] } {
  const asked = new URLSearchParams(search);
  let heard: (tags: Tag[]) => void = () => {};
  const world = emptyWorld((tags) => setTimeout(() => heard(tags), 20));
  if (asked.get('vault') !== 'absent') {
    fillDemo(world);
    connections.demoConnections(world, asked.get('connection') === 'broken');
  }
  world.consent = (asked.get('consent') ?? 'agree') as World['consent'];
  if (asked.get('data') === 'empty') {
    Object.assign(world, { credentials: [], agents: [], grants: [], connections: [], record: [] });
    Object.assign(world, { credentials: [], agents: [], grants: [], proposals: [], record: [] });
  }
  if (asked.has('vault')) world.vault = asked.get('vault') as VaultState;
  if (asked.has('keychain')) world.keychain = asked.get('keychain') as KeychainState;
  if (asked.has('warn'))
    world.warnings = [
      'This vault is an older copy than the one last opened here. Changes made since then are not in it.',
    ];
  if (asked.get('traffic') !== 'off') keepComing(world);
  return {
    world,
    call: async (verb, name, params) => {
      if ((CALLS as Record<string, string>)[name] !== verb)
        throw new CallError('usage', `There is no ${verb} named ${name}.`, '');
      if (asked.get('slow') === name) await new Promise(() => {});
      await new Promise((done) => setTimeout(done, 8));
      if (asked.get('fail') === name)
        throw new CallError(
          'unavailable',
          'The record could not be read: the disk did not answer.',
          'Check the disk, then try again.',
        );
      if (world.vault === 'locked' && !WHILE_LOCKED.has(name))
        throw new CallError('vault_locked', 'The vault is locked.', 'Unlock it first.');
      const result = await HANDLERS[name as keyof typeof CALLS](world, params);
      return structuredClone(result ?? {});
    },
    onChanged: (to) => (heard = to),
    onNavigate: () => {},
    copySecret: async (text) => {
      await navigator.clipboard.writeText(text);
      setTimeout(() => void forgetCopy(text), SECRET_STAYS * 1000);
    },
  };
}

async function forgetCopy(text: string): Promise<void> {
  if ((await navigator.clipboard.readText()) === text) await navigator.clipboard.writeText('');
}

function pauseAll(world: World, paused: boolean): object {
  world.paused = paused;
  remember(world, { result: 'act', code: paused ? 'agent.pause_all' : 'agent.resume_all', reason: 'in the window' });
  world.changed('agents', 'activity');
  return {};
}

/** The fake connections: made, renewed, ended. */
import { CallError } from '../errors';
import type { ConnectionView } from '../generated/ConnectionView';
import { mark } from './random';
import { act, DAY, found, iso, makeId, type World } from './world';

export const MINUTE = 60_000;

/** Stores a connection with its credential. */
export function connect(world: World, one: ConnectionView): void {
  world.connections = [...world.connections.filter((other) => other.credential !== one.credential), one];
  if (world.credentials.some((other) => other.name === one.credential)) return;
  const id = makeId(world, 'cred');
  const now = one.refreshed_at ?? iso(Date.now());
  const fingerprint = mark(one.credential);
  world.credentials.push({
    name: one.credential,
    id,
    service: one.service,
    service_title: world.services.find((other) => other.name === one.service)?.title ?? one.service,
    kind: 'oauth',
    fingerprint,
    state: 'active',
    version: 1,
    created: now,
    rotated: null,
    last_used: null,
    expires: null,
  });
  world.versions.set(id, [{ version: 1, stored: now, fingerprint, current: true }]);
}

export function refresh(world: World, name: string): void {
  const one = connectionOf(world, name);
  if (one.state === 'broken')
    throw new CallError('refused', `${one.credential} can no longer be renewed.`, 'Reconnect it.');
  const now = Date.now();
  Object.assign(one, {
    state: 'fresh',
    refreshed_at: iso(now),
    expires: iso(now + 60 * MINUTE),
    next_refresh: iso(now + 47 * MINUTE),
  });
  world.changed('oauth', 'activity');
}

export function disconnect(world: World, name: string): { revocation: 'done' | 'pending' } {
  const one = connectionOf(world, name);
  const pending = one.service === 'jira';
  Object.assign(one, { state: pending ? 'revoking' : 'ended', expires: null, next_refresh: null });
  const credential = found(world.credentials, one.credential, 'credential');
  credential.state = 'revoked';
  act(world, 'oauth.disconnect', { credential: one.credential });
  world.changed('oauth', 'credentials', 'activity');
  return { revocation: pending ? 'pending' : 'done' };
}

export function connectionOf(world: World, name: string): ConnectionView {
  const credential = found(world.credentials, name, 'credential');
  const one = world.connections.find((other) => other.credential === credential.name);
  if (!one) throw new CallError('usage', `${credential.name} is no connection.`, '');
  return one;
}

/** The connections of the demo workplace; with `broken`, one of them is. */
export function demoConnections(world: World, broken: boolean): void {
  const now = Date.now();
  const base = { withheld: [], reason: null, refreshable: true, flow: 'code' as const };
  connect(world, {
    ...base,
    credential: 'linear-team',
    service: 'linear',
    issuer: 'https://linear.app',
    account: 'mara@acme.example',
    scopes: ['read', 'issues:create'],
    expires: iso(now + 52 * MINUTE),
    refreshed_at: iso(now - 8 * MINUTE),
    next_refresh: iso(now + 40 * MINUTE),
    state: 'fresh',
  });
  connect(world, {
    ...base,
    credential: 'slack-standup',
    service: 'slack',
    issuer: 'https://slack.com',
    account: 'standup-bot · Acme',
    scopes: ['users:read', 'channels:history'],
    withheld: ['chat:write'],
    expires: broken ? iso(now - 3 * 3_600_000) : iso(now + 9 * 3_600_000),
    refreshed_at: iso(now - (broken ? 15 : 3) * 3_600_000),
    next_refresh: broken ? null : iso(now + 6 * 3_600_000),
    state: broken ? 'broken' : 'fresh',
    reason: broken ? 'Slack no longer accepts the renewal: invalid_grant.' : null,
  });
  for (const one of world.credentials.filter((other) => other.kind === 'oauth')) {
    one.created = iso(now - 34 * DAY);
    one.rotated = null;
  }
}

/**
 * The fake consent: flows that go on by themselves, and connections. What the made-up person at the provider does is
 * chosen by `?consent=`: `agree` after a while (the default), `hold` (never answers), `less` (gives less and more than was
 * asked), `deny`, `refuse` (the client id is not taken).
 */
import { CallError } from '../errors';
import type { BeginRequest } from '../generated/BeginRequest';
import type { DiscoveredView } from '../generated/DiscoveredView';
import type { DiscoverRequest } from '../generated/DiscoverRequest';
import type { FlowStep } from '../generated/FlowStep';
import type { FlowView } from '../generated/FlowView';
import { connect, connectionOf, MINUTE } from './connections';
import { targets } from './consents';
import { mark, word } from './random';
import { act, iso, makeId, mustBeFree, type World } from './world';

const over = (step: FlowStep) => ['connected', 'failed', 'cancelled'].includes(step.state);
/** What was asked for, by flow: the view does not tell. */
const asked = new WeakMap<FlowView, { scopes: string[]; reconnects: string | null }>();

export function discover(world: World, { service, issuer, allow_private }: Partial<DiscoverRequest>): DiscoveredView {
  const target = targets().find((one) => one.service === service);
  const at = issuer ?? target?.issuer ?? '';
  if (!URL.canParse(at) || /nowhere/.test(at))
    throw new CallError(
      'unavailable',
      `No OAuth server was found at ${at || 'this address'}.`,
      'Look for the issuer in the service’s documentation; its address has no path of an API.',
    );
  const host = new URL(at).hostname;
  if (/^(127\.|10\.|192\.168\.|localhost)/.test(host) && !allow_private && !target?.private)
    throw new CallError(
      'refused',
      `${host} is in your own network.`,
      'Allow private addresses for this server if that is meant.',
    );
  void world;
  if (target && !issuer) return { ...found_(target.issuer), ...pick(target) };
  return {
    ...found_(at.replace(/\/$/, '')),
    flows: ['code', 'device', 'client-credentials'],
    registration: /nodcr|byhand/.test(at) ? 'by-hand' : 'automatic',
    scopes: [
      { name: 'openid', words: 'Tell who you are', risk: 'read', preselected: true },
      { name: 'offline_access', words: 'Stay connected without asking again', risk: 'read', preselected: true },
      { name: 'api:read', words: 'api:read', risk: 'read', preselected: false },
      { name: 'api:write', words: 'api:write', risk: 'write', preselected: false },
    ],
  };
}

function found_(issuer: string | null): Omit<DiscoveredView, 'flows' | 'registration' | 'scopes'> {
  return { issuer: issuer ?? '', other_issuers: [], pushed_requests: false, dpop: false, supports_revocation: true };
}

function pick({ flows, registration, scopes }: DiscoveredView | ReturnType<typeof targets>[number]) {
  return { flows, registration: registration === 'unknown' ? ('automatic' as const) : registration, scopes };
}

export function prepare(name: string | null | undefined) {
  const port = 49_152 + (Number.parseInt(mark(name ?? '').slice(0, 4), 16) % 16_000);
  const path = mark(`${name} path`).slice(0, 12);
  return {
    redirect_uri: `http://127.0.0.1:${port}/callback/${path}`,
    without_port: `http://127.0.0.1/callback/${path}`,
  };
}

export function begin(world: World, ask: BeginRequest, reconnects: string | null = null): FlowView {
  if (!reconnects) mustBeFree(world.credentials, ask.name, 'a credential');
  const busy = world.flows.find((one) => one.name === ask.name && !over(one.step));
  if (busy)
    throw new CallError('conflict', `“${ask.name}” is being connected already.`, 'Take that up again, or cancel it.');
  const now = Date.now();
  const target = targets().find((one) => one.service === ask.service);
  const flow: FlowView = {
    id: makeId(world, 'flw'),
    name: ask.name,
    service: ask.service,
    issuer: ask.issuer ?? target?.issuer ?? null,
    flow: ask.flow,
    reconnects: reconnects !== null,
    started_at: iso(now),
    expires_at: iso(now + (ask.flow === 'device' ? 15 : 5) * MINUTE),
    step: { state: 'discovering' },
  };
  asked.set(flow, { scopes: ask.scopes, reconnects });
  world.flows = [flow, ...world.flows.filter((one) => one.name !== ask.name)];
  world.changed('oauth');
  const elsewhere = ask.issuer !== null && ask.issuer !== target?.issuer;
  const known = Boolean(ask.client_id) || reconnects !== null || elsewhere || target?.registration === 'automatic';
  later(world, flow, 250, () => {
    if (!known && target?.registration === 'by-hand')
      return fail(
        'needs_client_id',
        'The server registers no apps by itself.',
        'Register one by hand and give its client id.',
      );
    return { state: 'registering' };
  });
  later(world, flow, 500, () => waiting(world, ask.flow));
  if (ask.flow === 'client-credentials' || world.consent !== 'hold')
    later(world, flow, ask.flow === 'client-credentials' ? 900 : 6000, () => ({ state: 'exchanging' }));
  if (ask.flow === 'client-credentials' || world.consent !== 'hold')
    later(world, flow, ask.flow === 'client-credentials' ? 1300 : 6600, () => answered(world, flow));
  return flow;
}

function waiting(world: World, kind: FlowView['flow']): FlowStep {
  if (kind === 'client-credentials') return { state: 'exchanging' };
  if (kind === 'device')
    return {
      state: 'waiting_device',
      user_code: 'WDJB-MJHT',
      verification_uri: 'https://github.com/login/device',
      verification_uri_complete: 'https://github.com/login/device?user_code=WDJB-MJHT',
      interval_s: 5,
    };
  const state = word(world.random, 43);
  return {
    state: 'waiting_browser',
    url: `https://login.example.com/authorize?response_type=code&client_id=claviger-4821&code_challenge_method=S256&code_challenge=${word(world.random, 43)}&state=${state}`,
    redirect_uri: prepare('any').redirect_uri,
  };
}

function later(world: World, flow: FlowView, ms: number, to: () => FlowStep): void {
  setTimeout(() => {
    if (over(flow.step) || world.vault !== 'unlocked') return;
    flow.step = to();
    if (over(flow.step)) flow.expires_at = null;
    world.changed('oauth', 'credentials', 'activity');
  }, ms);
}

function fail(code: Extract<FlowStep, { state: 'failed' }>['code'], message: string, hint: string): FlowStep {
  return { state: 'failed', code, message, hint };
}

function answered(world: World, flow: FlowView): FlowStep {
  const { scopes, reconnects } = asked.get(flow) ?? { scopes: [], reconnects: null };
  if (world.consent === 'deny')
    return fail('denied', 'You, or the rules of your organisation, said no.', 'Try again and agree, or ask for less.');
  if (world.consent === 'refuse')
    return fail(
      'client_refused',
      'The server does not take the client id or its secret.',
      'Compare both with what the provider’s console shows.',
    );
  const less = world.consent === 'less' && scopes.length > 0;
  const withheld = less ? scopes.slice(-1) : [];
  const unasked = less ? ['profile'] : [];
  const granted = [...scopes.filter((one) => !withheld.includes(one)), ...unasked];
  const now = Date.now();
  const refreshable = flow.flow !== 'client-credentials';
  const expires = iso(now + 60 * MINUTE);
  const account = flow.flow === 'client-credentials' ? null : 'mara@acme.example';
  connect(world, {
    credential: flow.name,
    service: flow.service,
    issuer: flow.issuer ?? '',
    account,
    scopes: granted,
    withheld,
    expires,
    refreshed_at: iso(now),
    next_refresh: iso(now + 47 * MINUTE),
    state: 'fresh',
    reason: null,
    refreshable,
    flow: flow.flow,
  });
  act(world, reconnects ? 'oauth.reconnect' : 'oauth.connect', { credential: flow.name });
  return {
    state: 'connected',
    credential: flow.name,
    account,
    scopes: granted,
    withheld,
    unasked,
    expires,
    refreshable,
  };
}

export function flowOf(world: World, id: string): FlowView {
  const flow = world.flows.find((one) => one.id === id);
  if (!flow) throw new CallError('not_found', 'This flow is over and was put away.', '');
  return flow;
}

export function cancel(world: World, id: string): void {
  const flow = flowOf(world, id);
  if (over(flow.step)) return;
  flow.step = { state: 'cancelled' };
  flow.expires_at = null;
  world.changed('oauth');
}

export function dismiss(world: World, id: string): void {
  world.flows = world.flows.filter((one) => one.id !== id);
  world.changed('oauth');
}

export function reconnect(world: World, name: string): FlowView {
  const one = connectionOf(world, name);
  return begin(
    world,
    {
      name: one.credential,
      service: one.service,
      issuer: one.issuer,
      flow: one.flow,
      scopes: [...one.scopes, ...one.withheld],
      client_id: null,
      client_secret: null,
      redirect_uri: null,
      open: true,
    },
    one.credential,
  );
}

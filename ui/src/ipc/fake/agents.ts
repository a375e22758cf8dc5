/** The fake agents and grants. */
import { CallError } from '../errors';
import type { AddGrantRequest } from '../generated/AddGrantRequest';
import type { AgentTokenView } from '../generated/AgentTokenView';
import type { AgentView } from '../generated/AgentView';
import type { GrantView } from '../generated/GrantView';
import type { SetGrantRequest } from '../generated/SetGrantRequest';
import type { WiringView } from '../generated/WiringView';
import { word } from './random';
import { act, DAY, found, iso, makeId, mustBeFree, proxyBase, sentence, type StoredAgent, type World } from './world';

export function agentView(world: World, one: StoredAgent): AgentView {
  return { ...one, grants: world.grants.filter((grant) => grant.agent === one.name) };
}

export function issueToken(world: World, name: string, ttl: string | null | undefined, fresh: boolean): AgentTokenView {
  const days = Number.parseInt(ttl ?? '30d', 10);
  if (!(days >= 1 && days <= 90))
    throw new CallError('usage', `“${ttl}” is not a life a token may have.`, 'Choose 1 to 90 days.');
  if (fresh) {
    mustBeFree(world.agents, name, 'an agent');
    world.agents.push({
      name,
      id: makeId(world, 'agt'),
      state: 'active',
      created: iso(Date.now()),
      expires: null,
      last_seen: null,
    });
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
  const view: WiringView = { agent: agent.name, variables: [], by_hand: [], notes: [] };
  for (const grant of world.grants.filter((one) => one.agent === agent.name)) {
    const variables: Record<string, [url: string, token: string, suffix: string]> = {
      anthropic: ['ANTHROPIC_BASE_URL', 'ANTHROPIC_AUTH_TOKEN', ''],
      openai: ['OPENAI_BASE_URL', 'OPENAI_API_KEY', '/v1'],
      google_gemini: ['GOOGLE_GEMINI_BASE_URL', 'GEMINI_API_KEY', ''],
    };
    const names = variables[grant.service];
    if (!names) {
      view.by_hand.push({ service: grant.service, credential: grant.credential, base_url: grant.base_url, hint: '' });
      continue;
    }
    if (grant.service === 'anthropic')
      view.notes.push({
        service: grant.service,
        text: `Clients that do not add /v1 themselves need ${grant.base_url}/v1.`,
      });
    view.variables.push({ name: names[0], value: grant.base_url + names[2], is_token: false });
    view.variables.push({ name: names[1], value: '${CLAVIGER_TOKEN}', is_token: true });
  }
  return view;
}

export function addGrant(world: World, asked: AddGrantRequest): GrantView {
  const agent = found(world.agents, asked.agent, 'agent');
  const credential = found(world.credentials, asked.credential, 'credential');
  if (world.grants.some((one) => one.agent === agent.name && one.credential === credential.name)) {
    throw new CallError(
      'conflict',
      `${agent.name} already holds a grant on ${credential.name}.`,
      'Change that grant instead.',
    );
  }
  const grant: GrantView = {
    grant: makeId(world, 'grt'),
    agent: agent.name,
    credential: credential.name,
    service: credential.service,
    base_url: `${proxyBase(world)}/g/${word(world.random, 26)}`,
    methods: asked.methods ?? [],
    paths: asked.paths ?? [],
    rate: asked.rate || null,
    hours: asked.hours || null,
    created: iso(Date.now()),
    expires: life(asked.expires),
    sentence: '',
  };
  grant.sentence = sentence(grant);
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
  grant.sentence = sentence(grant);
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

function life(text: string | null | undefined): string | null {
  if (!text) return null;
  const days = /^(\d+)d$/.exec(text);
  return iso(days ? Date.now() + Number(days[1]) * DAY : Date.parse(text));
}

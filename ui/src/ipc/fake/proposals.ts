/** What agents ask for, and the answers. */
import type { AllowProposalRequest } from '../generated/AllowProposalRequest';
import type { GrantView } from '../generated/GrantView';
import type { ProposalView } from '../generated/ProposalView';
import type { Params } from '../calls';
import { CallError } from '../errors';
import { addGrant } from './agents';
import { act, iso, type World } from './world';

export function list(world: World): ProposalView[] {
  return world.proposals
    .map((one) => ({
      ...one,
      credentials: world.credentials
        .filter((other) => other.service === one.service && other.state === 'active')
        .map((other) => other.name),
    }))
    .map((one) => ({ ...one, would: would(one) }))
    .sort((a, b) => Number(a.state !== 'open') - Number(b.state !== 'open') || b.created.localeCompare(a.created));
}

function would({ agent, state, credentials, methods, paths }: ProposalView): string | null {
  if (state !== 'open' || credentials.length !== 1) return null;
  const how = `${methods.length > 0 ? ` for ${methods.join(', ')}` : ''}${paths.length > 0 ? ` on ${paths.join(', ')}` : ''}`;
  return `${agent} may use ${credentials[0]}${how}`;
}

function stillOpen(world: World, proposal: string): ProposalView {
  const one = list(world).find((other) => other.proposal === proposal);
  if (!one) throw new CallError('not_found', `There is no proposal “${proposal}”.`, '');
  if (one.state !== 'open') throw new CallError('conflict', `This was ${one.state} before.`, '');
  return one;
}

function answer(world: World, proposal: string, state: string, grant: string | null): void {
  const stored = world.proposals.find((one) => one.proposal === proposal);
  if (stored) Object.assign(stored, { state, grant, answered: iso(Date.now()) });
  world.changed('proposals', 'grants', 'agents', 'activity');
}

export function allow(world: World, asked: Params<AllowProposalRequest>): GrantView {
  const one = stillOpen(world, asked.proposal);
  const credential = asked.credential ?? (one.credentials.length === 1 ? one.credentials[0] : undefined);
  if (!credential) throw new CallError('usage', `${one.credentials.length} credentials fit.`, 'Name one of them.');
  const grant = addGrant(world, {
    agent: one.agent,
    credential,
    methods: asked.methods ?? one.methods,
    paths: asked.paths ?? one.paths,
    rate: asked.rate ?? null,
    hours: asked.hours ?? null,
    expires: asked.expires ?? null,
  });
  answer(world, one.proposal, 'allowed', grant.grant);
  return grant;
}

export function deny(world: World, proposal: string): ProposalView {
  const one = stillOpen(world, proposal);
  act(world, 'proposal.deny', { agent: one.agent, service: one.service });
  answer(world, proposal, 'denied', null);
  return { ...one, state: 'denied', answered: iso(Date.now()) };
}

/** What can be asked of a service: its entry in the catalogue, or what its server said. Pure. */
import type { Draft } from '../../app/connecting.svelte';
import type { AppRegistration, FlowKind, ScopeView, ServiceView, TargetView } from '../../ipc';
import { byReach } from '../../lib/consent';

export interface Offer {
  service: string;
  title: string;
  /** The host that tokens are sent to. */
  host: string;
  flows: FlowKind[];
  issuer: string | null;
  scopes: ScopeView[];
  registration: AppRegistration;
  consoleUrl: string | null;
  /** Whether tokens can be given back; null where nobody has asked. */
  revocable: boolean | null;
}

export function offerOf(draft: Draft, target: TargetView | undefined, service: ServiceView | undefined): Offer | null {
  if (!service) return null;
  const said = draft.discovered;
  if (!target && !said) return null;
  const flows = said?.flows ?? target?.flows ?? [];
  const url = URL.canParse(service.base_url) ? new URL(service.base_url) : null;
  return {
    service: service.name,
    title: service.title,
    host: url?.host ?? service.base_url,
    flows: flows.length > 0 ? flows : ['code'],
    issuer: said?.issuer ?? draft.issuer ?? target?.issuer ?? null,
    scopes: byReach(said?.scopes ?? target?.scopes ?? []),
    registration: draft.byHand ? 'by-hand' : (said?.registration ?? target?.registration ?? 'unknown'),
    consoleUrl: draft.issuer ? null : (target?.console_url ?? null),
    revocable: said?.supports_revocation ?? null,
  };
}

/** Whether the server has to be asked before anything can be shown. */
export function mustAsk(draft: Draft, target: TargetView | undefined): boolean {
  if (draft.discovered) return false;
  return !target || target.scopes.length === 0 || target.registration === 'unknown' || target.flows.length === 0;
}

export function flowOf(draft: Draft, offer: Offer): FlowKind {
  return draft.flow && offer.flows.includes(draft.flow) ? draft.flow : (offer.flows[0] ?? 'code');
}

/** The chosen scopes, and those of the least set until something was chosen. */
export function chosenOf(draft: Draft, offer: Offer): string[] {
  return draft.scopes ?? offer.scopes.filter((one) => one.preselected).map((one) => one.name);
}

/** Whether the user has to give an id before it can begin. A program has no other way to prove itself. */
export function needsApp(draft: Draft, offer: Offer): boolean {
  return (
    offer.registration === 'by-hand' ||
    (flowOf(draft, offer) === 'client-credentials' && offer.registration !== 'automatic')
  );
}

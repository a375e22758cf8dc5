/** A connection that is being prepared: kept while one looks elsewhere, gone at lock. Holds no secret. */
import type { DiscoveredView, FlowKind } from '../ipc';

export interface Draft {
  service: string;
  /** The server, when it was given by URL. */
  issuer: string | null;
  /** What the server said it offers. */
  discovered: DiscoveredView | undefined;
  flow: FlowKind | null;
  /** Chosen scopes; null until something was chosen, for the least set. */
  scopes: string[] | null;
  /** Scopes that were typed in. */
  typed: string[];
  name: string;
  clientId: string;
  /** It was begun with a client secret, which is not kept here. */
  hadSecret: boolean;
  /** The provider wants an app of the user's own, whatever was thought before. */
  byHand: boolean;
  /** The flow that was begun with all this. */
  begun: string | null;
}

const NONE: Draft = {
  service: '',
  issuer: null,
  discovered: undefined,
  flow: null,
  scopes: null,
  typed: [],
  name: '',
  clientId: '',
  hadSecret: false,
  byHand: false,
  begun: null,
};

let draft = $state<Draft>({ ...NONE });

export const connecting = {
  get draft() {
    return draft;
  },
};

/** Begins anew for a service, unless it is the one that is being prepared. */
export function prepareFor(service: string, more: Partial<Draft> = {}): void {
  if (draft.service === service && Object.keys(more).length === 0) return;
  draft = { ...NONE, service, ...more };
}

export function forgetDraft(): void {
  draft = { ...NONE };
}

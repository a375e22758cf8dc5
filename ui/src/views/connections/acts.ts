/** What sets a consent going, from wherever it is wanted. */
import { connecting } from '../../app/connecting.svelte';
import { go } from '../../app/route.svelte';
import { complain } from '../../app/toasts.svelte';
import { mutate } from '../../ipc';
import { chosenOf, flowOf, type Offer } from './offer';

/** Begins with what was prepared, and shows how it goes on. Throws what the engine says against it. */
export async function begin(offer: Offer, more: { secret?: string; redirectUri?: string } = {}): Promise<void> {
  const { draft } = connecting;
  const flow = await mutate('oauth.begin', {
    name: draft.name.trim(),
    service: offer.service,
    // A server that was found by way of the service is found again so, with what else the service says.
    issuer: draft.issuer,
    flow: flowOf(draft, offer),
    scopes: chosenOf(draft, offer),
    client_id: draft.clientId.trim() || null,
    client_secret: more.secret || null,
    redirect_uri: more.redirectUri ?? null,
    open: true,
  });
  draft.begun = flow.id;
  draft.hadSecret = Boolean(more.secret);
  go('credentials', null, { flow: flow.id });
}

/** Asks for consent anew, with the same client and scopes. */
export async function reconnect(credential: string): Promise<void> {
  try {
    const flow = await mutate('oauth.reconnect', { credential, open: true });
    go('credentials', null, { flow: flow.id });
  } catch (thrown) {
    complain(thrown);
  }
}

/** Puts a flow that is over away; it may be gone already. */
export function putAway(id: string): void {
  void mutate('oauth.dismiss', { id }).catch(() => undefined);
}

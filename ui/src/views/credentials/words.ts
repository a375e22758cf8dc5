/** How a credential stands, in words. Pure. */
import type { ConnectionView, CredentialView } from '../../ipc';
import { HEALTH } from '../../lib/consent';
import type { Tone } from '../../lib/record';

export const KINDS: Record<string, string> = {
  'api-key': 'API key',
  basic: 'User and password',
  oauth: 'OAuth sign-in',
  'jwt-bearer': 'Signed assertion',
};

const SOON_MS = 7 * 86_400_000;

/** A connection’s own state says more than the dates of its credential: its token ends often, and is renewed. */
export function standing(one: CredentialView, now: number, connection?: ConnectionView): { word: string; tone: Tone } {
  if (one.state === 'frozen') return { word: 'Frozen', tone: 'warn' };
  if (one.state === 'revoked' && connection?.state === 'revoking') return HEALTH.revoking;
  if (one.state === 'revoked') return { word: 'Revoked', tone: 'quiet' };
  // It ended by itself: a disconnected one is revoked.
  if (connection?.state === 'ended') return { word: 'Ended', tone: 'danger' };
  if (connection) return HEALTH[connection.state];
  if (one.state === 'expired') return { word: 'Expired', tone: 'danger' };
  if (one.expires !== null && Date.parse(one.expires) - now < SOON_MS) return { word: 'Expires soon', tone: 'warn' };
  return { word: 'Active', tone: 'ok' };
}

/** How a credential stands, in words. Pure. */
import type { CredentialView } from '../../ipc';
import type { Tone } from '../../lib/record';

export const KINDS: Record<string, string> = { 'api-key': 'API key', basic: 'User and password' };

const SOON_MS = 7 * 86_400_000;

export function standing(one: CredentialView, now: number): { word: string; tone: Tone } {
  if (one.state === 'frozen') return { word: 'Frozen', tone: 'warn' };
  if (one.state === 'revoked') return { word: 'Revoked', tone: 'quiet' };
  if (one.state === 'expired') return { word: 'Expired', tone: 'danger' };
  if (one.expires !== null && Date.parse(one.expires) - now < SOON_MS) return { word: 'Expires soon', tone: 'warn' };
  return { word: 'Active', tone: 'ok' };
}

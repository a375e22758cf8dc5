/** How an agent stands, in words. Pure. */
import type { AgentView } from '../../ipc';
import type { Tone } from '../../lib/record';

const ONLINE_MS = 120_000;

export function standing(one: AgentView, now: number): { word: string; tone: Tone } {
  if (one.state === 'paused') return { word: 'Paused', tone: 'warn' };
  if (one.state === 'revoked') return { word: 'Revoked', tone: 'quiet' };
  if (one.state === 'expired') return { word: 'Token expired', tone: 'danger' };
  if (one.last_seen !== null && now - Date.parse(one.last_seen) < ONLINE_MS) return { word: 'Working', tone: 'ok' };
  return { word: one.last_seen === null ? 'Never seen' : 'Idle', tone: 'quiet' };
}

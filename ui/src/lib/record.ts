/** A record entry in words. Pure. */
import { visible } from './safe';

export interface Entry {
  result: string;
  code: string | null;
  reason: string | null;
  status: number | null;
  agent: string | null;
  credential: string | null;
  service: string | null;
}

export type Tone = 'ok' | 'warn' | 'danger' | 'quiet';

const CODES: Record<string, string> = {
  unauthenticated: 'Token not accepted',
  vault_locked: 'Vault was locked',
  grant_missing: 'No grant',
  policy_denied: 'Against its rules',
  approval_denied: 'You said no',
  approval_timeout: 'Nobody answered',
  rate_limited: 'Too many requests',
  budget_exhausted: 'Budget is used up',
  credential_expired: 'Credential expired',
  credential_frozen: 'Credential frozen',
  audit_unavailable: 'Could not be recorded',
  request_malformed: 'Malformed request',
  too_large: 'Too large',
  upstream_refused: 'Address not allowed',
  upstream_unreachable: 'Service not reachable',
  upstream_timeout: 'Service too slow',
  response_blocked: 'Answer held back',
  agent_gone: 'Agent hung up',
  cut: 'Cut off',
  unknown: 'End not known',
};

const ACTS: Record<string, string> = {
  'vault.create': 'Vault created',
  'vault.unlock': 'Vault unlocked',
  'vault.recover': 'Vault opened by recovery key',
  'vault.lock': 'Vault locked',
  'vault.change_password': 'Password changed',
  'vault.renew_recovery': 'Recovery key renewed',
  'service.add': 'Service added',
  'service.remove': 'Service removed',
  'credential.add': 'Credential added',
  'credential.rotate': 'Credential rotated',
  'credential.revoke': 'Credential revoked',
  'credential.freeze': 'Credential frozen',
  'credential.unfreeze': 'Credential unfrozen',
  'credential.remove': 'Credential removed',
  'agent.add': 'Agent added',
  'agent.renew': 'Token renewed',
  'agent.run_token': 'Token made for one run',
  'agent.revoke': 'Agent revoked',
  'agent.pause': 'Agent paused',
  'agent.resume': 'Agent resumed',
  'agent.pause_all': 'All agents paused',
  'agent.resume_all': 'All agents resumed',
  'agent.remove': 'Agent removed',
  'grant.add': 'Grant added',
  'grant.set': 'Grant changed',
  'grant.remove': 'Grant removed',
  'settings.set': 'Settings changed',
  'oauth.prepare': 'Redirect address made',
  'oauth.connect': 'Connected',
  'oauth.reconnect': 'Reconnected',
  'oauth.renew': 'Token renewed',
  'oauth.break': 'Connection broke',
  'oauth.disconnect': 'Disconnected',
  'oauth.give_back': 'Tokens being given back',
  'oauth.give_back_later': 'Tokens to be given back later',
  'oauth.given_back': 'Tokens given back',
  'oauth.not_given_back': 'Tokens not taken back',
};

/** What Claviger does without being asked. */
const BY_ITSELF = new Set(['oauth.renew', 'oauth.break', 'oauth.given_back', 'oauth.not_given_back']);

export function codeWords(code: string | null): string {
  if (code === null) return '';
  return CODES[code] ?? ACTS[code] ?? visible(code.replaceAll('_', ' '));
}

/** The one word that stands in the result column, with its tone. */
export function outcome(entry: Entry): { word: string; tone: Tone } {
  switch (entry.result) {
    case 'done':
      return { word: String(entry.status ?? 'Done'), tone: 'ok' };
    case 'error':
      if (entry.status === null || entry.status < 400) return { word: 'Failed', tone: 'danger' };
      return { word: String(entry.status), tone: entry.status >= 500 ? 'danger' : 'warn' };
    case 'refused':
      return { word: 'Refused', tone: 'warn' };
    case 'open':
      return { word: 'Running', tone: 'quiet' };
    default:
      if (entry.code === 'oauth.break') return { word: 'Broke', tone: 'danger' };
      return { word: BY_ITSELF.has(entry.code ?? '') ? 'Claviger' : 'You', tone: 'quiet' };
  }
}

/** The first few that are requests, not acts of a human. */
export function requests<T extends Entry>(entries: readonly T[], count: number): T[] {
  return entries.filter((one) => one.result !== 'act').slice(0, count);
}

/** Shares of the whole, for the bar of the timing split. */
export function timing(entry: {
  own_ms: number | null;
  head_ms: number | null;
  total_ms: number | null;
}): { label: string; ms: number }[] {
  const { own_ms: own, head_ms: head, total_ms: total } = entry;
  if (own === null || total === null) return [];
  const parts = [{ label: 'In Claviger', ms: own }];
  if (head !== null) {
    parts.push({ label: 'Waiting for the service', ms: Math.max(0, head - own) });
    parts.push({ label: 'Receiving the answer', ms: Math.max(0, total - head) });
  } else if (total > own) parts.push({ label: 'Service', ms: total - own });
  return parts;
}

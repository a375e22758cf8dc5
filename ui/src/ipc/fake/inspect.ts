/** Reads a pasted token as the engine does: decoded, not believed. */
import type { ClaimView } from '../generated/ClaimView';
import type { InspectedView } from '../generated/InspectedView';
import { trimmed } from './catalogue';

const WORDS: Record<string, string> = {
  iss: 'Who made it',
  sub: 'About whom it speaks',
  aud: 'For whom it is',
  exp: 'When it ends',
  nbf: 'Not good before',
  iat: 'When it was made',
  jti: 'Its own id',
  scope: 'What it may be used for',
  scp: 'What it may be used for',
  azp: 'The app it was made for',
  client_id: 'The app it was made for',
  tid: 'The organisation',
};

export function inspect(text: string): InspectedView {
  const parts = trimmed(text.trim().replace(/^Bearer\s+/i, '')).split('.');
  const [header, claims] = [part(parts[0]), part(parts[1])];
  if (parts.length !== 3 || !header || !claims) return { ...NOTHING };
  const scope = claims['scope'] ?? claims['scp'] ?? '';
  const audience = claims['aud'] ?? [];
  return {
    kind: 'jwt',
    header: rows(header),
    claims: rows(claims),
    scopes: Array.isArray(scope) ? scope.map(String) : String(scope).split(' ').filter(Boolean),
    issuer: text_(claims['iss']),
    subject: text_(claims['sub']),
    audience: Array.isArray(audience) ? audience.map(String) : [String(audience)],
    issued: moment(claims['iat']),
    expires: moment(claims['exp']),
    signed_by: [text_(header['alg']), text_(header['kid'])].filter(Boolean).join(', key ') || null,
  };
}

const NOTHING: InspectedView = {
  kind: 'opaque',
  header: [],
  claims: [],
  scopes: [],
  issuer: null,
  subject: null,
  audience: [],
  issued: null,
  expires: null,
  signed_by: null,
};

function part(text: string | undefined): Record<string, unknown> | undefined {
  try {
    const bytes = Uint8Array.from(atob((text ?? '').replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function rows(of: Record<string, unknown>): ClaimView[] {
  return Object.entries(of).map(([name, value]) => ({
    name,
    value: (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 240),
    words: WORDS[name] ?? null,
  }));
}

function text_(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function moment(value: unknown): string | null {
  return typeof value === 'number' && Math.abs(value) < 8e12 ? new Date(value * 1000).toISOString() : null;
}

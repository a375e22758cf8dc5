/** A consent in words: what is asked, where it stands, what was given. Pure. */
import type { Tone } from './record';

type Risk = 'read' | 'write' | 'dangerous';
type FlowKind = 'code' | 'device' | 'client-credentials';

/** Scopes that mean the same at every server (OpenID Connect Core, sections 5.4 and 11). */
export const EVERYWHERE: Record<string, string> = {
  openid: 'Tell who you are',
  profile: 'Tell your name and picture',
  email: 'Tell your mail address',
  offline_access: 'Stay connected without asking again',
};

/** How far a scope reaches: a word and a tone, so that it is not said by colour alone. */
export const RISKS: Record<Risk, { word: string; tone: Tone }> = {
  read: { word: 'Reads', tone: 'quiet' },
  write: { word: 'Changes', tone: 'warn' },
  dangerous: { word: 'Far-reaching', tone: 'danger' },
};

export const FLOWS: Record<FlowKind, { label: string; words: string }> = {
  code: { label: 'In the browser', words: 'Your browser opens the service’s own page; you sign in and agree there.' },
  device: {
    label: 'With a code',
    words: 'You type a short code at the service’s page, on this computer or any other.',
  },
  'client-credentials': {
    label: 'As a program',
    words: 'Nobody signs in: an id and a secret from the service’s console stand for the program itself.',
  },
};

export interface Scope {
  name: string;
  words: string;
  risk: Risk;
  preselected: boolean;
}

/** Each once, those that reach least first. */
export function byReach<S extends Scope>(scopes: readonly S[]): S[] {
  const order: Risk[] = ['read', 'write', 'dangerous'];
  // A server may name one twice.
  const each = [...new Map(scopes.map((one) => [one.name, one])).values()];
  return each.sort((a, b) => order.indexOf(a.risk) - order.indexOf(b.risk));
}

/**
 * What was really held back. Many servers do not list the scopes that stand for what came beside the token: a refresh
 * token, a name. Where that came, they were granted.
 */
export function heldBack(
  withheld: readonly string[],
  got: { refreshable: boolean; account: string | null },
): { withheld: string[]; granted: string[] } {
  const came = (name: string) =>
    (name === 'offline_access' && got.refreshable) ||
    (['openid', 'profile', 'email'].includes(name) && got.account !== null);
  return { withheld: withheld.filter((name) => !came(name)), granted: withheld.filter(came) };
}

/** What an agent can do with the chosen scopes, in one sentence. */
export function reach(scopes: readonly Scope[], chosen: readonly string[]): string {
  const picked = scopes.filter((one) => chosen.includes(one.name));
  const unknown = chosen.filter((name) => !scopes.some((one) => one.name === name)).length;
  if (chosen.length === 0) return 'Nothing beyond signing in is asked for.';
  const count = (risk: Risk) => picked.filter((one) => one.risk === risk).length;
  const parts: string[] = [];
  if (count('dangerous') > 0) parts.push('it reaches far');
  else if (count('write') > 0) parts.push('an agent with a grant can change things there');
  else if (picked.length > 0) parts.push('an agent with a grant can read, but change nothing');
  if (unknown > 0) parts.push(unknown === 1 ? 'one scope is not known here' : `${unknown} scopes are not known here`);
  const text = parts.join('; ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** A scope that was typed in, or what is wrong with it (RFC 6749, section 3.3: visible ASCII but quote and backslash). */
export function typedScope(text: string): { name: string } | { wrong: string } {
  const name = text.trim();
  if (name === '') return { wrong: 'Type the scope as the service’s documentation writes it.' };
  if (name.length > 200 || !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(name))
    return { wrong: 'A scope has no spaces, quotes or letters beyond ASCII.' };
  return { name };
}

/** What is wrong with a server's address, or nothing. */
export function issuerProblem(text: string, mayBePrivate: boolean): string | null {
  const typed = text.trim();
  if (typed === '') return null;
  const url = URL.canParse(typed) ? new URL(typed) : null;
  if (!url || !/^https?:$/.test(url.protocol))
    return 'It begins with https:// and a host, as in https://auth.example.com.';
  if (url.username || url.password) return 'It holds no user name or password.';
  if (url.protocol === 'http:' && !mayBePrivate)
    return 'Only a service that may be private can have a server without https.';
  return null;
}

/** A free name for the credential: the service's, numbered when taken. */
export function freeName(base: string, taken: readonly string[]): string {
  if (!taken.includes(base)) return base;
  for (let n = 2; ; n += 1) if (!taken.includes(`${base}-${n}`)) return `${base}-${n}`;
}

type State =
  | 'discovering'
  | 'registering'
  | 'waiting_browser'
  | 'waiting_device'
  | 'exchanging'
  | 'connected'
  | 'failed'
  | 'cancelled';

/** How a flow stands, in a word and in a sentence for the list. */
export const STANDS: Record<State, { word: string; tone: Tone; words: string }> = {
  discovering: { word: 'Looking', tone: 'quiet', words: 'Finding out how the service signs in.' },
  registering: { word: 'Registering', tone: 'quiet', words: 'Making Claviger known there.' },
  waiting_browser: { word: 'Waiting', tone: 'warn', words: 'Waiting for you in the browser.' },
  waiting_device: { word: 'Waiting', tone: 'warn', words: 'Waiting for the code to be typed in.' },
  exchanging: { word: 'Almost there', tone: 'quiet', words: 'You agreed; the tokens are being fetched.' },
  connected: { word: 'Connected', tone: 'ok', words: 'Ready to be granted.' },
  failed: { word: 'Failed', tone: 'danger', words: 'It did not come to an end.' },
  cancelled: { word: 'Cancelled', tone: 'quiet', words: 'You cancelled it.' },
};

export function isOver(state: State): boolean {
  return state === 'connected' || state === 'failed' || state === 'cancelled';
}

type Health = 'fresh' | 'due' | 'broken' | 'revoking' | 'ended';

/** How a connection stands. */
export const HEALTH: Record<Health, { word: string; tone: Tone }> = {
  fresh: { word: 'Connected', tone: 'ok' },
  due: { word: 'Renewing', tone: 'ok' },
  broken: { word: 'Broken', tone: 'danger' },
  revoking: { word: 'Disconnecting', tone: 'warn' },
  ended: { word: 'Disconnected', tone: 'quiet' },
};

/** What the provider did with the tokens when a connection was ended. */
export function revocationWords(
  revocation: string,
  provider: string,
  expires: string | null,
): { title: string; hint: string } {
  switch (revocation) {
    case 'done':
      return { title: `${provider} has taken its tokens back.`, hint: 'They work nowhere any more.' };
    case 'not-offered':
      return {
        title: `${provider} offers no way to take tokens back.`,
        hint: `Claviger has deleted its copy. ${expires ? `The access token ends by itself ${expires}.` : 'Remove Claviger’s access in your account there.'}`,
      };
    case 'pending':
      return {
        title: `${provider} does not answer at the moment.`,
        hint: 'The tokens are used no more, and Claviger asks again until they are taken back.',
      };
    default:
      return {
        title: `${provider} refused to take its tokens back.`,
        hint: 'Claviger has deleted its copy. Remove Claviger’s access in your account there.',
      };
  }
}

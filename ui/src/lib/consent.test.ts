import { describe, expect, it } from 'vitest';
import { byReach, freeName, issuerProblem, reach, revocationWords, typedScope, type Scope } from './consent';
import { hourMinute, remaining } from './format';
import { endDay, jwtIn } from './jwt';

const scope = (name: string, risk: Scope['risk'], preselected = false): Scope => ({
  name,
  words: name,
  risk,
  preselected,
});
const SCOPES = [scope('admin', 'dangerous'), scope('read', 'read', true), scope('write', 'write')];
const NOW = Date.parse('2026-11-22T10:00:00Z');

describe('scopes', () => {
  it('stand in the order of their reach, each once', () => {
    const names = byReach([...SCOPES, scope('read', 'read')]).map((one) => one.name);
    expect(names, 'order').toEqual(['read', 'write', 'admin']);
  });
  it('are told by the one that reaches furthest', () => {
    expect(reach(SCOPES, ['read']), 'read').toMatch(/change nothing/);
    expect(reach(SCOPES, ['read', 'write']), 'write').toMatch(/can change things/);
    expect(reach(SCOPES, ['read', 'write', 'admin']), 'dangerous').toMatch(/reaches far/);
    expect(reach(SCOPES, []), 'none').toMatch(/Nothing/);
  });
  it('never call an unknown scope harmless', () => {
    const text = reach(SCOPES, ['something:else']);
    expect(text, 'unknown').toMatch(/not known here/);
    expect(text, 'no promise').not.toMatch(/change nothing/);
  });
  it('are taken as they are typed, or refused with a reason', () => {
    expect(typedScope(' chat:write ')).toEqual({ name: 'chat:write' });
    for (const bad of ['', 'two words', 'quo"te', 'back\\slash', 'né', 'a\u200bb', 'x'.repeat(201)])
      expect(typedScope(bad), JSON.stringify(bad)).toHaveProperty('wrong');
  });
});

describe('a server’s address', () => {
  it('is https, or http where private addresses are allowed', () => {
    expect(issuerProblem('https://auth.example.com', false)).toBeNull();
    expect(issuerProblem('http://127.0.0.1:8080', true)).toBeNull();
    expect(issuerProblem('http://127.0.0.1:8080', false), 'plain').toMatch(/without https/);
  });
  it('is nothing else', () => {
    for (const bad of ['auth.example.com', 'javascript:alert(1)', 'file:///etc/passwd', 'https://', 'ftp://a.example'])
      expect(issuerProblem(bad, true), bad).not.toBeNull();
    expect(issuerProblem('https://me:secret@auth.example.com', true), 'user').toMatch(/no user name/);
  });
});

describe('names and times', () => {
  it('finds a free name', () => {
    expect(freeName('github', [])).toBe('github');
    expect(freeName('github', ['github', 'github-2'])).toBe('github-3');
  });
  it('counts down to nothing and not below', () => {
    expect(remaining('2026-11-22T10:04:09Z', NOW)).toBe('4:09');
    expect(remaining('2026-11-22T11:02:30Z', NOW)).toBe('1:02:30');
    expect(remaining('2026-11-22T09:00:00Z', NOW), 'over').toBe('0:00');
  });
  it('shows a time of day', () => expect(hourMinute('2026-11-22T10:04:09Z')).toMatch(/^\d{2}:\d{2}$/));
});

describe('a disconnected provider', () => {
  it('is never said to have taken tokens back when it has not', () => {
    for (const state of ['not-offered', 'refused', 'pending', 'something new'])
      expect(revocationWords(state, 'GitHub', null).title, state).not.toMatch(/has taken/);
    expect(revocationWords('done', 'GitHub', null).title).toMatch(/has taken its tokens back/);
  });
  it('says when the token ends, where it ends by itself', () =>
    expect(revocationWords('not-offered', 'Notion', 'in 40 min').hint).toMatch(/in 40 min/));
});

describe('a pasted JSON Web Token', () => {
  const token = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl';
  it('is found bare and with what stands around it', () => {
    for (const text of [
      token,
      ` ${token}\n`,
      `Bearer ${token}`,
      `"${token}"`,
      `export SUPABASE_KEY='${token}'`,
      `A=${token}`,
    ])
      expect(jwtIn(text), text).toBe(token);
  });
  it('is not seen in other keys', () => {
    for (const text of ['', 'sk-ant-api03-abc', 'eyJhbGciOiJIUzI1NiJ9', `${token}.more`, `curl -H ${token}`, 'a.b.c'])
      expect(jwtIn(text), text).toBeNull();
  });
  it('gives the day of its end when a form can take it', () => {
    expect(endDay('2027-01-31T12:00:00Z', NOW)).toBe('2027-01-31');
    expect(endDay('2026-11-22T18:00:00Z', NOW), 'today').toBe('');
    expect(endDay('2026-01-01T00:00:00Z', NOW), 'past').toBe('');
    expect(endDay('nonsense', NOW), 'garbage').toBe('');
    expect(endDay(null, NOW)).toBe('');
  });
});

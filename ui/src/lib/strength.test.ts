import { describe, expect, it } from 'vitest';
import { guessBits, strength } from './strength';

describe('strength', () => {
  it.each([
    'password',
    'Password1!',
    'qwertyuiop',
    'letmein2026',
    'aaaaaaaaaaaa',
    '1234567890123456',
    'abcdefgh',
    'Claviger2026',
    'monkey123',
    'abcabcabcabc',
    'ｐａｓｓｗｏｒｄ',
  ])('calls %s too weak', (password) => expect(strength(password).score, password).toBe(1));

  it.each([
    'correct horse battery staple',
    'harbour violin moss 41 lantern',
    'k9$Vq2!xWm7#Tz4p',
    'träume im schnee über brücken',
  ])('calls %s good or strong', (password) => expect(strength(password).score, password).toBeGreaterThanOrEqual(3));

  it('gives nothing for a word said twice', () => {
    const once = guessBits('violin harbour');
    expect(guessBits('violin harbour violin harbour') - once, 'repetition').toBeLessThan(6);
  });

  it('never falls when an unrelated word is added', () => {
    let bits = 0;
    let text = '';
    for (const word of ['moss', 'lantern', 'harbour', 'violin', 'ember']) {
      text = text ? `${text} ${word}` : word;
      const now = guessBits(text);
      expect(now, text).toBeGreaterThan(bits);
      bits = now;
    }
  });

  it('stays quick on absurd input', () => {
    const start = performance.now();
    strength('a1!'.repeat(20_000));
    expect(performance.now() - start, 'milliseconds').toBeLessThan(500);
  });
});

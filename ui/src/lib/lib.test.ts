import { describe, expect, it } from 'vitest';
import { dateProblem, timeOfDay } from './dates';
import { matching, ranked, score } from './fuzzy';
import { shortcut } from './keys';
import { codeWords, outcome, timing } from './record';
import { askFor, groups, sameGroup } from './recovery';
import { fromGrant, NO_RULES, problems, toContract } from './rules';
import { visible } from './safe';
import { inSight } from './window';
import { lines, runLine } from './wiring';

describe('fuzzy', () => {
  const names = ['claude-code', 'Credentials', 'Lock the vault', 'openai-research', 'Settings'];
  it('prefers a beginning, then a word, then letters in order', () => {
    expect(ranked('cr', names, (one) => one)[0], 'beginning').toBe('Credentials');
    expect(ranked('code', names, (one) => one)[0], 'a word inside').toBe('claude-code');
    expect(ranked('ltv', names, (one) => one)[0], 'first letters').toBe('Lock the vault');
    expect(
      ranked('zzz', names, (one) => one),
      'nothing',
    ).toEqual([]);
    expect(
      ranked('', names, (one) => one),
      'everything',
    ).toEqual(names);
  });
  it('filters a table without surprises', () => {
    expect(
      matching('the lock', names, (one) => one),
      'words in any order',
    ).toEqual(['Lock the vault']);
    expect(
      matching('ltv', names, (one) => one),
      'no letters far apart',
    ).toEqual([]);
    expect(
      matching(' ', names, (one) => one),
      'everything',
    ).toEqual(names);
  });
  it('ranks a thousand names within 50 ms', () => {
    const many = Array.from({ length: 1000 }, (_, i) => `credential-number-${i}`);
    const start = performance.now();
    ranked('crnum99', many, (one) => one);
    expect(performance.now() - start, 'milliseconds').toBeLessThan(50);
    expect(score('x', 'y'), 'no match').toBe(0);
  });
});

describe('visible', () => {
  it('shows what would hide or turn round the text', () => {
    expect(visible('/v1/\u202egnp.exe'), 'right-to-left override').toBe('/v1/\\u202egnp.exe');
    expect(visible('a\u0000b\r\nc\u200b'), 'controls and zero width').toBe('a\\u0000b\\u000d\\u000ac\\u200b');
    expect(visible('héllo 世界'), 'ordinary text').toBe('héllo 世界');
    expect(visible('x'.repeat(900)).length, 'cut').toBe(401);
    expect(visible(null), 'nothing').toBe('');
  });
});

describe('recovery', () => {
  it('splits and compares as Crockford reads', () => {
    expect(groups(' AB0C1-DEFGH 23456\n'), 'groups').toEqual(['AB0C1', 'DEFGH', '23456']);
    expect(sameGroup('abOcl ', 'AB0C1'), 'O for 0 and l for 1').toBe(true);
    expect(sameGroup('AB0C2', 'AB0C1'), 'one letter off').toBe(false);
    expect(sameGroup('', ''), 'nothing is never right').toBe(false);
  });
  it('asks for two different groups, never the first', () => {
    for (let i = 0; i < 500; i += 1) {
      const [a, b] = askFor(8);
      expect(a, 'first').toBeGreaterThan(0);
      expect(b, 'second').toBeGreaterThan(a);
      expect(b, 'within').toBeLessThan(8);
    }
    expect(
      askFor(8, () => 0.999),
      'edge',
    ).toEqual([6, 7]);
    expect(
      askFor(8, () => 0),
      'edge',
    ).toEqual([1, 2]);
  });
});

describe('wiring', () => {
  const variables = [
    { name: 'OPENAI_BASE_URL', value: 'http://127.0.0.1:1/g/x/v1', is_token: false },
    { name: 'OPENAI_API_KEY', value: '${CLAVIGER_TOKEN}', is_token: true },
  ];
  it('writes lines that each shell reads', () => {
    expect(lines(variables, 'sh', 't'), 'sh').toBe(
      `export CLAVIGER_TOKEN='t'\nexport OPENAI_BASE_URL='http://127.0.0.1:1/g/x/v1'\nexport OPENAI_API_KEY="$CLAVIGER_TOKEN"`,
    );
    expect(lines(variables, 'fish', 't'), 'fish').toContain('set -gx OPENAI_API_KEY $CLAVIGER_TOKEN');
    expect(lines(variables, 'powershell', 't'), 'powershell').toContain('$env:OPENAI_API_KEY = $env:CLAVIGER_TOKEN');
    expect(lines(variables, 'dotenv', 't'), 'dotenv').toBe(
      'OPENAI_BASE_URL=http://127.0.0.1:1/g/x/v1\nOPENAI_API_KEY=t',
    );
    expect(runLine('claude-code'), 'run').toBe('claviger run claude-code -- claude');
  });
  it('lets no value break out of its quotes', () => {
    const evil = [{ name: 'X', value: `'; rm -rf ~ #`, is_token: false }];
    expect(lines(evil, 'sh', 't'), 'sh').toContain(`export X=''\\''; rm -rf ~ #'`);
    expect(lines(evil, 'fish', 't'), 'fish').toContain(`set -gx X '\\'; rm -rf ~ #'`);
    expect(lines(evil, 'powershell', 't'), 'powershell').toContain(`$env:X = '''; rm -rf ~ #'`);
    expect(lines([{ name: 'X', value: `\\'`, is_token: false }], 'fish', 't'), 'fish escapes').toContain(`'\\\\\\''`);
  });
});

describe('rules', () => {
  it('goes from a grant to the form and back', () => {
    const grant = { methods: ['GET'], paths: ['/v1/**', '/v2/*'], rate: '60/min', hours: '09:00-18:00' };
    expect(toContract(fromGrant(grant)), 'round trip').toEqual(grant);
    expect(toContract(fromGrant({ methods: [], paths: [], rate: '5/hour', hours: '9-18' })), 'other spellings').toEqual(
      {
        methods: [],
        paths: [],
        rate: '5/h',
        hours: '09:00-18:00',
      },
    );
    expect(toContract(NO_RULES), 'nothing clears').toEqual({ methods: [], paths: [], rate: '', hours: '' });
  });
  it('says what is wrong', () => {
    expect(problems(NO_RULES), 'empty form').toEqual({});
    const form = { ...NO_RULES, paths: 'v1/x', rateCount: '-3', from: '09:00', days: '0' };
    expect(Object.keys(problems(form)).sort(), 'fields').toEqual(['days', 'hours', 'paths', 'rate']);
  });
});

describe('window', () => {
  it('holds what is in sight and a little more', () => {
    expect(inSight(100_000, 40, 0, 600, 5), 'top').toEqual({ first: 0, end: 20 });
    expect(inSight(100_000, 40, 40_000, 600, 5), 'middle').toEqual({ first: 995, end: 1020 });
    expect(inSight(10, 40, 4_000, 600, 5), 'scrolled past the end').toEqual({ first: 10, end: 10 });
    expect(inSight(10, 0, 0, 600), 'not laid out yet').toEqual({ first: 0, end: 0 });
  });
});

describe('record', () => {
  const entry = { result: 'done', code: null, reason: null, status: 200, agent: 'a', credential: 'c', service: 's' };
  it('says how an entry ended', () => {
    expect(outcome(entry), 'answered').toEqual({ word: '200', tone: 'ok' });
    expect(outcome({ ...entry, result: 'error', status: 429 }).tone, 'refused upstream').toBe('warn');
    expect(outcome({ ...entry, result: 'error', status: 500 }).tone, 'broken upstream').toBe('danger');
    expect(outcome({ ...entry, result: 'refused', status: null }).word, 'refused here').toBe('Refused');
    expect(outcome({ ...entry, result: 'error', status: null }), 'no answer').toEqual({
      word: 'Failed',
      tone: 'danger',
    });
    expect(outcome({ ...entry, result: 'open', status: null }).word, 'still open').toBe('Running');
    expect(codeWords('policy_denied'), 'known code').toBe('Against its rules');
    expect(codeWords('brand_new_code'), 'unknown code').toBe('brand new code');
    expect(codeWords(null), 'none').toBe('');
  });
  it('splits the time without losing any', () => {
    const parts = timing({ own_ms: 0.4, head_ms: 400, total_ms: 1200 });
    expect(
      parts.map((part) => part.label),
      'parts',
    ).toEqual(['In Claviger', 'Waiting for the service', 'Receiving the answer']);
    expect(
      parts.reduce((sum, part) => sum + part.ms, 0),
      'sum',
    ).toBeCloseTo(1200);
    expect(timing({ own_ms: null, head_ms: null, total_ms: 5 }), 'unknown').toEqual([]);
  });
});

describe('shortcuts', () => {
  const press = (key: string, more = {}) => ({
    key,
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    shiftKey: false,
    ...more,
  });
  it('knows its keys and leaves typing alone', () => {
    expect(shortcut(press('k', { ctrlKey: true }), true), 'palette while typing').toEqual({ kind: 'palette' });
    expect(shortcut(press('K', { metaKey: true }), false), 'palette on a Mac').toEqual({ kind: 'palette' });
    expect(shortcut(press('3'), false), 'third view').toEqual({ kind: 'view', index: 2 });
    expect(shortcut(press('3'), true), 'a digit in a field').toBeUndefined();
    expect(shortcut(press('/'), false), 'search').toEqual({ kind: 'search' });
    expect(shortcut(press('?', { shiftKey: true }), false), 'help').toEqual({ kind: 'help' });
    expect(shortcut(press('1', { altKey: true }), false), 'foreign chord').toBeUndefined();
  });
});

describe('dates', () => {
  const now = Date.parse('2026-11-21T12:00:00Z');
  it.each([
    ['', true],
    ['2027-01-31', true],
    ['2026-11-21', false],
    ['2027-02-30', false],
    ['31.1.2027', false],
    ['soon', false],
  ])('reads %s as an end date', (text, fine) => expect(dateProblem(text, now) === null, text).toBe(fine));
  it.each([
    ['9', '09:00'],
    ['9:30', '09:30'],
    ['24', '24:00'],
    ['24:01', null],
    ['12:60', null],
    ['noon', null],
  ])('reads %s as a time of day', (text, time) => expect(timeOfDay(text), text).toBe(time));
});

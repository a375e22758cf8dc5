import { describe, expect, it } from 'vitest';
import { bytes, change, clock, compact, millis, plural, relative } from './format';

describe('compact', () => {
  it.each([
    [0, '0'],
    [9_999, '9,999'],
    [10_000, '10.0k'],
    [99_960, '100k'],
    [999_499, '999k'],
    [999_500, '1.00M'],
    [2_418_000, '2.42M'],
    [123_000_000, '123M'],
    [4_560_000_000, '4.56B'],
  ])('writes %d as %s', (value, text) => expect(compact(value), String(value)).toBe(text));
});

describe('millis', () => {
  it.each([
    [0.214, '0.21 ms'],
    [3.14159, '3.1 ms'],
    [412.4, '412 ms'],
    [1_204, '1.20 s'],
    [61_000, '1 min 1 s'],
  ])('writes %d as %s', (value, text) => expect(millis(value), String(value)).toBe(text));
});

describe('relative', () => {
  const now = Date.parse('2026-11-21T12:00:00Z');
  it.each([
    [null, 'never'],
    ['2026-11-21T11:59:58Z', 'just now'],
    ['2026-11-21T11:59:20Z', '40 s ago'],
    ['2026-11-21T11:30:00Z', '30 min ago'],
    ['2026-11-21T02:00:00Z', '10 h ago'],
    ['2026-11-20T10:00:00Z', '1 day ago'],
    ['2026-11-26T12:00:00Z', 'in 5 days'],
    ['2026-08-01T12:00:00Z', '4 months ago'],
  ])('says %s as %s', (at, text) => expect(relative(at, now), String(at)).toBe(text));
});

describe('change', () => {
  it('says nothing about good or bad, only the direction', () => {
    expect(change(10, 10), 'same').toEqual({ direction: 'same', text: 'unchanged' });
    expect(change(3, 0), 'from none').toEqual({ direction: 'new', text: 'none before' });
    expect(change(15, 10), 'more').toEqual({ direction: 'up', text: '50%' });
    expect(change(5, 10), 'less').toEqual({ direction: 'down', text: '50%' });
    expect(change(1001, 1000), 'hardly more').toEqual({ direction: 'up', text: '<1%' });
    expect(change(120, 10), 'many times').toEqual({ direction: 'up', text: '12×' });
    expect(change(0, 10), 'to none').toEqual({ direction: 'down', text: '100%' });
  });
});

it('writes sizes, plurals and times of day', () => {
  expect(bytes(999), 'bytes').toBe('999 B');
  expect(bytes(1_540), 'kilobytes').toBe('1.5 kB');
  expect(bytes(20_000_000), 'megabytes').toBe('20 MB');
  expect(plural(1, 'day'), 'one').toBe('1 day');
  expect(plural(2, 'entry', 'entries'), 'two').toBe('2 entries');
  const now = Date.parse('2026-11-21T12:00:00Z');
  expect(clock('2026-11-20T12:00:00Z', now), 'another day').toMatch(/^20 Nov \d\d:\d\d$/);
  expect(clock('2026-11-21T11:00:00Z', now), 'today').toMatch(/^\d\d:\d\d:\d\d$/);
});

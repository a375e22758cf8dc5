import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Cache, DEPENDS, type Answer } from './cache';
import { CallError } from './errors';
import type { Tag } from './generated/Tag';

let asked: string[];
let answer: (name: string) => Promise<unknown>;
let cache: Cache;
const tags = (...all: Tag[]) => new Set<Tag>(all);
const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  answer = async () => asked.length;
  cache = new Cache((name) => {
    asked.push(name);
    return answer(name);
  });
});
afterEach(() => vi.useRealTimers());

function watch(name: Parameters<Cache['watch']>[0], params: unknown = {}) {
  const heard: Answer[] = [];
  const stop = cache.watch(name, params, (one) => heard.push(one));
  return { heard, stop, last: () => heard.at(-1) };
}

describe('cache', () => {
  it('asks once for two watchers of the same answer while it is on its way', async () => {
    const [a, b] = [watch('agent.list'), watch('agent.list')];
    await settle();
    expect(a.last()?.value, 'first').toBe(b.last()?.value);
    // The second watcher found a call in flight and asked for one more after it, not a third.
    expect(asked.length, 'calls').toBeLessThanOrEqual(2);
  });

  it('keeps answers apart by params', async () => {
    answer = async () => ({ n: asked.length });
    const day = watch('usage.overview', { range: '24h' });
    const week = watch('usage.overview', { range: '7d' });
    await settle();
    expect(day.last()?.value, 'different answers').not.toEqual(week.last()?.value);
  });

  it('asks again only for what depends on a tag and is watched', async () => {
    const agents = watch('agent.list');
    const services = watch('service.list');
    await settle();
    asked = [];
    cache.changed(tags('services'));
    await settle();
    expect(asked, 'services alone').toEqual(['service.list']);
    services.stop();
    asked = [];
    cache.changed(tags('services', 'grants'));
    await settle();
    expect(asked, 'the unwatched is left').toEqual(['agent.list']);
    expect(agents.last()?.error, 'no error').toBeUndefined();
  });

  it('asks at most once in a while under heavy traffic, and never misses the last change', async () => {
    watch('usage.overview', { range: '1h' });
    await settle();
    asked = [];
    for (let i = 0; i < 50; i += 1) {
      cache.changed(tags('activity'));
      await vi.advanceTimersByTimeAsync(20);
    }
    expect(asked.length, 'calls in one second').toBeLessThanOrEqual(2);
    cache.changed(tags('activity'));
    const before = asked.length;
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked.length, 'the last change is fetched').toBeGreaterThan(before);
  });

  it('does not wait when a human changed something', async () => {
    watch('agent.list');
    await settle();
    asked = [];
    cache.changed(tags('activity', 'agents'));
    await settle();
    expect(asked, 'at once').toEqual(['agent.list']);
  });

  it('keeps the last good answer beside an error', async () => {
    const agents = watch('agent.list');
    await settle();
    answer = () => Promise.reject({ code: 'unavailable', message: 'the disk is full', hint: 'free some space' });
    cache.changed(tags('agents'));
    await settle();
    expect(agents.last()?.value, 'former value').toBe(1);
    expect(agents.last()?.error, 'error').toBeInstanceOf(CallError);
    expect(agents.last()?.error?.message, 'sentence').toBe('The disk is full.');
  });

  it('forgets everything at lock, also an answer that is still on its way', async () => {
    let release: (value: unknown) => void = () => {};
    const credentials = watch('credential.list');
    await settle();
    answer = () => new Promise((done) => (release = done));
    cache.changed(tags('credentials'));
    cache.forget();
    expect(credentials.last()?.value, 'at once').toBeUndefined();
    release('late');
    await settle();
    expect(credentials.last()?.value, 'the late answer is dropped').toBeUndefined();
  });

  it('never keeps a query that carries a secret', () => {
    expect(DEPENDS['credential.recognise'], 'not kept').toBeUndefined();
    expect(DEPENDS['token.inspect'], 'not kept').toBeUndefined();
    expect(() => watch('credential.recognise'), 'refused').toThrow(/not kept/);
    expect(() => watch('token.inspect'), 'refused').toThrow(/not kept/);
  });
});

import { describe, expect, it } from 'vitest';
import contract from '../../../crates/api/src/schema/mod.rs?raw';
import { CALLS } from './calls';
import { toCallError } from './errors';
import { fakeEngine } from './fake';

const engines = new Map(
  [...contract.matchAll(/\("([a-z_.]+)", Verb::(Query|Mutate|Decide)\)/g)].map(([, name, verb]) => [
    name,
    verb?.toLowerCase(),
  ]),
);
/** The command line's alone, and what agents call over MCP. */
const NOT_HERE = new Set(['agent.run_token', 'mcp.list_services', 'mcp.request_access', 'mcp.explain_denial']);

describe('the table of calls', () => {
  it('was found in the engine', () => expect(engines.size, 'calls').toBeGreaterThan(40));
  it('agrees with the engine on every name and verb', () => {
    for (const [name, verb] of Object.entries(CALLS)) expect(engines.get(name), name).toBe(verb);
  });
  it('leaves out nothing that the window should know', () => {
    const missing = [...engines.keys()].filter((name) => !(name! in CALLS) && !NOT_HERE.has(name!));
    // A call of a later version may stand in the contract before the window has a use for it; say so here then.
    expect(missing, 'calls without a row').toEqual([]);
  });
});

describe('errors', () => {
  it('makes sentences of the engine’s words', () => {
    const error = toCallError({ code: 'not_found', message: 'there is no agent "x"', hint: '' });
    expect(error.message, 'message').toBe('There is no agent "x".');
    expect(error.hint, 'hint').toBe('');
    expect(toCallError({ code: 'usage', message: 'openai-prod is taken', hint: '' }).message, 'a name stays').toBe(
      'openai-prod is taken.',
    );
  });
  it('shows nothing of a shape it does not know', () => {
    for (const odd of ['sk-live-secret', { message: 'sk-live-secret' }, null, 7, new Error('sk-live-secret')]) {
      const error = toCallError(odd);
      expect(error.code, 'code').toBe('unexpected');
      expect(error.message + error.hint, 'words').not.toContain('sk-live-secret');
    }
  });
});

describe('the fake engine', () => {
  it('refuses a call by the wrong verb and everything but a few while locked', async () => {
    const fake = fakeEngine('?vault=locked&traffic=off');
    await expect(fake.call('query', 'vault.lock', {}), 'wrong verb').rejects.toMatchObject({ code: 'usage' });
    await expect(fake.call('query', 'agent.list', {}), 'locked').rejects.toMatchObject({ code: 'vault_locked' });
    await expect(fake.call('mutate', 'vault.unlock', { password: 'no' }), 'wrong').rejects.toMatchObject({
      code: 'wrong_password',
    });
  });
  it('answers the lists of the demo world', async () => {
    const fake = fakeEngine('?traffic=off');
    for (const name of [
      'service.list',
      'credential.list',
      'agent.list',
      'grant.list',
      'credential.kinds',
      'settings.show',
    ]) {
      await expect(fake.call('query', name, {}), name).resolves.toBeTruthy();
    }
  });
  it('keeps no material', async () => {
    const fake = fakeEngine('?traffic=off');
    const secret = 'sk-proj-canary-0123456789abcdef';
    await fake.call('mutate', 'credential.add', { name: 'canary', service: 'openai', secret });
    expect(JSON.stringify(fake.world), 'the whole world').not.toContain('canary-0123456789');
  });
  it('adds up: an overview’s steps are its totals', async () => {
    const fake = fakeEngine('?traffic=off');
    for (const range of ['1h', '24h', '7d', '30d']) {
      const view = (await fake.call('query', 'usage.overview', { range })) as {
        total: { requests: number };
        series: { requests: number }[];
      };
      const sum = view.series.reduce((total, one) => total + one.requests, 0);
      expect(sum, range).toBe(view.total.requests);
    }
  });
});

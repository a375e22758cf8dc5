/** A query as reactive state: `live('agent.list').value`. Asked again by itself when something it shows changes. */
import { Cache, type QueryName } from './cache';
import type { Params, Queries } from './calls';
import { query } from './client';
import type { CallError } from './errors';
import { onChanged } from './events';

const cache = new Cache((name, params) => query(name, params as never));
let listening = false;

export interface Live<T> {
  /** The last good answer to the present params. */
  readonly value: T | undefined;
  readonly error: CallError | undefined;
  /** Neither answer nor error yet. */
  readonly loading: boolean;
  refresh(): void;
}

/**
 * Must be called while a component is set up. Params come as a function, so that they may change; null asks nothing.
 * `keep` shows the former answer until the next is there: for figures, never for things that can be acted on.
 */
export function live<N extends QueryName>(
  name: N,
  params: () => Params<Queries[N][0]> | null = () => ({}) as Params<Queries[N][0]>,
  { keep = false } = {},
): Live<Queries[N][1]> {
  listen();
  let value = $state.raw<Queries[N][1] | undefined>();
  let error = $state.raw<CallError | undefined>();
  const key = $derived(JSON.stringify(params()));

  $effect.pre(() => {
    const asked = JSON.parse(key) as unknown;
    if (asked === null) {
      value = undefined;
      error = undefined;
      return;
    }
    return cache.watch(name, asked, (answer) => {
      if (!(keep && answer.busy && answer.value === undefined)) value = answer.value as Queries[N][1] | undefined;
      error = answer.error;
    });
  });

  return {
    get value() {
      return value;
    },
    get error() {
      return error;
    },
    get loading() {
      return value === undefined && error === undefined;
    },
    refresh: () => cache.refresh(name),
  };
}

/** Drops every answer: the vault was locked. */
export function forgetAnswers(): void {
  cache.forget();
}

function listen(): void {
  if (listening) return;
  listening = true;
  onChanged((tags) => cache.changed(tags));
}

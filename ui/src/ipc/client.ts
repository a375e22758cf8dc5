/** Three functions, one per verb. Views call these or `live`; nothing else leaves the page. */
import { CALLS, type Decisions, type Mutations, type Params, type Queries } from './calls';
import { toCallError } from './errors';
import { connected } from './transport';

type Args<P> = Record<never, never> extends Params<P> ? [params?: Params<P>] : [params: Params<P>];

export function query<N extends keyof Queries>(name: N, ...args: Args<Queries[N][0]>): Promise<Queries[N][1]> {
  return call(name, args[0]) as Promise<Queries[N][1]>;
}

export function mutate<N extends keyof Mutations>(name: N, ...args: Args<Mutations[N][0]>): Promise<Mutations[N][1]> {
  return call(name, args[0]) as Promise<Mutations[N][1]>;
}

export function decide<N extends keyof Decisions>(name: N, ...args: Args<Decisions[N][0]>): Promise<Decisions[N][1]> {
  return call(name, args[0]) as Promise<Decisions[N][1]>;
}

async function call(name: keyof typeof CALLS, params: unknown): Promise<unknown> {
  try {
    return await connected().call(CALLS[name], name, params ?? {});
  } catch (thrown) {
    throw toCallError(thrown);
  }
}

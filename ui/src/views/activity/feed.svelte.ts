/** The entries of the feed: the newest page kept fresh, older pages behind it, and the stillness of a paused one. */
import { type AuditView, type CallError, live, query, toCallError } from '../../ipc';

export interface Filter {
  agent: string;
  credential: string;
  result: string;
  text: string;
}

export const RESULTS = [
  { value: '', label: 'All results' },
  { value: 'done', label: 'Answered' },
  { value: 'error', label: 'Errors' },
  { value: 'refused', label: 'Refused' },
  { value: 'act', label: 'Your acts' },
];

const PAGE = 200;

export function filterFrom(params: Record<string, string>): Filter {
  return {
    agent: params.agent ?? '',
    credential: params.credential ?? '',
    result: params.result ?? '',
    text: params.text ?? '',
  };
}

function request(filter: Filter, before: number | null) {
  return {
    limit: PAGE,
    before,
    agent: filter.agent || null,
    credential: filter.credential || null,
    result: filter.result || null,
    text: filter.text.trim() || null,
  };
}

export function createFeed(filter: () => Filter) {
  const newest = live('audit.list', () => request(filter(), null));
  let older = $state.raw<AuditView[]>([]);
  let next = $state<number | null>(null);
  let still = $state.raw<AuditView[] | null>(null);
  let error = $state.raw<CallError>();
  let busy = false;
  const key = $derived(JSON.stringify(filter()));

  // Another filter is another feed.
  $effect(() => {
    void key;
    older = [];
    next = null;
    still = null;
  });

  const fresh = $derived.by(() => {
    const page = newest.value?.entries ?? [];
    const last = page.at(-1)?.seq ?? Infinity;
    return [...page, ...older.filter((one) => one.seq < last)];
  });

  async function more() {
    const before = older.length > 0 ? next : (newest.value?.next ?? null);
    if (busy || before === null) return;
    busy = true;
    const asked = key;
    try {
      const page = await query('audit.list', request(filter(), before));
      if (asked !== key) return;
      // The newest page moves on while older ones are read: keep what falls out of it.
      older = [
        ...fresh.filter((one) => one.seq >= before),
        ...older.filter((one) => one.seq < before),
        ...page.entries,
      ].filter((one, i, all) => i === 0 || one.seq < (all[i - 1] as AuditView).seq);
      next = page.next;
    } catch (thrown) {
      error = toCallError(thrown);
    } finally {
      busy = false;
    }
  }

  return {
    get entries() {
      return still ?? fresh;
    },
    get loading() {
      return newest.loading;
    },
    get error() {
      return newest.error ?? error;
    },
    get paused() {
      return still !== null;
    },
    /** How many came while it held still. */
    get waiting() {
      const top = still?.[0]?.seq ?? Infinity;
      return still === null ? 0 : fresh.filter((one) => one.seq > top).length;
    },
    setPaused(to: boolean) {
      still = to ? fresh : null;
    },
    more: () => void more(),
    retry: newest.refresh,
  };
}

/** Answers by name and params, fetched again when a tag they depend on changes. Must not know Svelte. */
import type { Queries } from './calls';
import { toCallError, type CallError } from './errors';
import type { Tag } from './generated/Tag';

export type QueryName = keyof Queries;

/**
 * The tags on which each cached answer depends. A query that is not here is never kept: it carries a secret in, or asks
 * the network.
 */
export const DEPENDS: Partial<Record<QueryName, readonly Tag[]>> = {
  'vault.status': ['vault', 'settings', 'agents', 'attention'],
  'service.list': ['services'],
  'service.show': ['services'],
  'credential.kinds': [],
  'credential.list': ['credentials', 'grants', 'agents', 'activity'],
  'credential.show': ['credentials', 'grants', 'agents', 'activity'],
  'credential.history': ['credentials'],
  'agent.list': ['agents', 'grants', 'credentials', 'activity'],
  'agent.show': ['agents', 'grants', 'credentials', 'activity'],
  'agent.wiring': ['agents', 'grants', 'settings'],
  'grant.list': ['grants', 'agents', 'credentials'],
  'grant.show': ['grants'],
  'oauth.targets': ['services'],
  'oauth.flows': ['oauth'],
  'oauth.flow': ['oauth'],
  'oauth.status': ['oauth', 'credentials'],
  'proposal.list': ['proposals', 'agents', 'credentials', 'services'],
  'proposal.show': ['proposals'],
  'usage.report': ['activity'],
  'usage.overview': ['activity'],
  'audit.list': ['activity'],
  'settings.show': ['settings'],
};

/** Traffic can change the record many times a second; a figure need not. */
const ACTIVITY_PAUSE_MS = 700;

export interface Answer {
  value: unknown;
  error: CallError | undefined;
  busy: boolean;
}

interface Entry {
  name: QueryName;
  params: unknown;
  answer: Answer;
  watchers: Set<(answer: Answer) => void>;
  /** How often everything was forgotten when the call in flight began; undefined when none is. */
  inFlight: number | undefined;
  again: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
  fetchedAt: number;
}

export class Cache {
  readonly #entries = new Map<string, Entry>();
  readonly #fetch: (name: QueryName, params: unknown) => Promise<unknown>;
  readonly #now: () => number;
  #forgotten = 0;

  constructor(fetch: (name: QueryName, params: unknown) => Promise<unknown>, now: () => number = Date.now) {
    this.#fetch = fetch;
    this.#now = now;
  }

  /** Tells `heard` the answer now (if there is one) and at each change, until the returned function is called. */
  watch(name: QueryName, params: unknown, heard: (answer: Answer) => void): () => void {
    if (!DEPENDS[name]) throw new Error(`${name} is not kept`);
    const key = `${name} ${JSON.stringify(params)}`;
    let entry = this.#entries.get(key);
    if (!entry) {
      entry = {
        name,
        params,
        answer: { value: undefined, error: undefined, busy: false },
        watchers: new Set(),
        inFlight: undefined,
        again: false,
        timer: undefined,
        fetchedAt: -Infinity,
      };
      this.#entries.set(key, entry);
    }
    const watched = entry;
    watched.watchers.add(heard);
    heard(watched.answer);
    void this.#refresh(watched);
    return () => {
      watched.watchers.delete(heard);
    };
  }

  refresh(name: QueryName): void {
    for (const entry of this.#entries.values()) {
      if (entry.name === name) void this.#refresh(entry);
    }
  }

  /** Asks again for what is shown and depends on one of the tags. */
  changed(tags: ReadonlySet<Tag>): void {
    for (const entry of this.#entries.values()) {
      const depends = DEPENDS[entry.name] ?? [];
      const hit = depends.filter((tag) => tags.has(tag));
      if (hit.length === 0 || entry.watchers.size === 0) continue;
      const onlyActivity = hit.every((tag) => tag === 'activity');
      const wait = onlyActivity ? entry.fetchedAt + ACTIVITY_PAUSE_MS - this.#now() : 0;
      if (wait <= 0) void this.#refresh(entry);
      else entry.timer ??= setTimeout(() => void this.#refresh(entry), wait);
    }
  }

  /** Forgets everything but the status: the vault was locked. */
  forget(): void {
    this.#forgotten += 1;
    for (const [key, entry] of this.#entries) {
      if (entry.name === 'vault.status') continue;
      clearTimeout(entry.timer);
      entry.timer = undefined;
      this.#tell(entry, { value: undefined, error: undefined, busy: false });
      if (entry.watchers.size === 0) this.#entries.delete(key);
    }
  }

  async #refresh(entry: Entry): Promise<void> {
    clearTimeout(entry.timer);
    entry.timer = undefined;
    if (entry.inFlight !== undefined) {
      entry.again = true;
      return;
    }
    const generation = this.#forgotten;
    entry.inFlight = generation;
    entry.fetchedAt = this.#now();
    this.#tell(entry, { ...entry.answer, busy: true });
    const answer = await this.#ask(entry);
    entry.inFlight = undefined;
    // An answer that set out before the lock must not come back after it.
    if (generation === this.#forgotten || entry.name === 'vault.status') this.#tell(entry, answer);
    if (entry.again) {
      entry.again = false;
      if (entry.watchers.size > 0) await this.#refresh(entry);
    }
  }

  async #ask(entry: Entry): Promise<Answer> {
    try {
      return { value: await this.#fetch(entry.name, entry.params), error: undefined, busy: false };
    } catch (thrown) {
      return { value: entry.answer.value, error: toCallError(thrown), busy: false };
    }
  }

  #tell(entry: Entry, answer: Answer): void {
    entry.answer = answer;
    for (const heard of [...entry.watchers]) heard(answer);
  }
}

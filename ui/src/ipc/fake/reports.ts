/** Usage and record queries over the fake record. */
import { CallError } from '../errors';
import type { AuditPage } from '../generated/AuditPage';
import type { AuditRequest } from '../generated/AuditRequest';
import type { OverviewView } from '../generated/OverviewView';
import type { UsageRow } from '../generated/UsageRow';
import { iso, type Entry, type World } from './world';

const RANGES: Record<string, [length: number, step: number]> = {
  '1h': [3_600_000, 60_000],
  '24h': [86_400_000, 1_800_000],
  '7d': [7 * 86_400_000, 3 * 3_600_000],
  '30d': [30 * 86_400_000, 86_400_000],
};

export function overview(world: World, range: string): OverviewView {
  const bounds = RANGES[range];
  if (!bounds) throw new CallError('usage', `“${range}” is not a range.`, 'Use 1h, 24h, 7d or 30d.');
  const [length, step] = bounds;
  const now = Date.now();
  const end = Math.ceil(now / step) * step;
  const start = end - length;
  const inRange = requests(world).filter((one) => one.time >= start);
  const before = requests(world).filter((one) => one.time >= start - length && one.time < start);
  const series = Array.from({ length: Math.round(length / step) }, (_, i) => ({
    at: iso(start + i * step),
    requests: 0,
    errors: 0,
    denied: 0,
    tokens: 0,
  }));
  for (const one of inRange) {
    const point = series[Math.floor((one.time - start) / step)];
    if (!point) continue;
    if (one.result === 'refused') point.denied += 1;
    else point.requests += 1;
    if (failed(one)) point.errors += 1;
    point.tokens += (one.tokens_in ?? 0) + (one.tokens_out ?? 0);
  }
  const byRequests = (a: UsageRow, b: UsageRow) => b.requests - a.requests;
  return {
    total: row('all', inRange),
    before: row('all', before),
    series,
    by_agent: grouped(inRange, (one) => one.agent).sort(byRequests),
    by_credential: grouped(inRange, (one) => one.credential).sort(byRequests),
    by_model: grouped(inRange, (one) => one.model).sort(
      (a, b) => b.tokens_in + b.tokens_out - a.tokens_in - a.tokens_out,
    ),
  };
}

export function report(world: World, since: string | null | undefined, by: string | null | undefined): UsageRow[] {
  const from = since ? Date.now() - (RANGES[since]?.[0] ?? Infinity) : -Infinity;
  const all = requests(world).filter((one) => one.time >= from);
  if (!by) return [row('all', all)];
  return grouped(all, (one) =>
    by === 'hour' || by === 'day' ? one.at.slice(0, by === 'hour' ? 13 : 10) : (one as never)[by],
  );
}

export function list(world: World, asked: AuditRequest): AuditPage {
  const limit = Math.min(asked.limit ?? 500, 10_000);
  const text = asked.text?.toLowerCase();
  const entries: Entry[] = [];
  for (let i = world.record.length - 1; i >= 0 && entries.length < limit; i -= 1) {
    const one = world.record[i] as Entry;
    if (asked.before != null && one.seq >= asked.before) continue;
    if (asked.agent && one.agent !== asked.agent) continue;
    if (asked.credential && one.credential !== asked.credential) continue;
    if (asked.result && one.result !== asked.result) continue;
    if (asked.event && one.event !== asked.event) continue;
    if (text && !words(one).includes(text)) continue;
    entries.push(one);
  }
  const last = entries.at(-1);
  return { entries, next: entries.length === limit && last ? last.seq : null };
}

function words(one: Entry): string {
  return [one.agent, one.credential, one.service, one.host, one.path, one.model, one.code, one.reason]
    .join(' ')
    .toLowerCase();
}

function requests(world: World): Entry[] {
  return world.record.filter((one) => one.result !== 'act');
}

function failed(one: Entry): boolean {
  return one.result === 'error';
}

function grouped(entries: Entry[], key: (one: Entry) => string | null): UsageRow[] {
  const groups = new Map<string, Entry[]>();
  for (const one of entries) {
    const name = key(one);
    if (name === null) continue;
    const group = groups.get(name);
    if (group) group.push(one);
    else groups.set(name, [one]);
  }
  return [...groups].map(([name, group]) => row(name, group));
}

function row(key: string, entries: Entry[]): UsageRow {
  const sent = entries.filter((one) => one.result !== 'refused');
  const sum = (of: (one: Entry) => number | null) => sent.reduce((total, one) => total + (of(one) ?? 0), 0);
  const times = sent.map((one) => one.total_ms ?? 0).sort((a, b) => a - b);
  return {
    key,
    requests: sent.length,
    errors: sent.filter(failed).length,
    denied: entries.length - sent.length,
    tokens_in: sum((one) => one.tokens_in),
    tokens_out: sum((one) => one.tokens_out),
    tokens_cached: sum((one) => one.tokens_cached),
    cost_usd: null,
    bytes_in: sum((one) => one.bytes_in),
    bytes_out: sum((one) => one.bytes_out),
    p50_ms: times[Math.floor(times.length / 2)] ?? 0,
    p99_ms: times[Math.floor(times.length * 0.99)] ?? 0,
  };
}

/** Figures and times as people read them. Pure; the clock comes in as an argument. */

const WHOLE = new Intl.NumberFormat('en');
const DAY = 86_400_000;

/** 1,284 · 18.4k · 2.31M — at most four figures wide. */
export function compact(value: number): string {
  if (value < 10_000) return WHOLE.format(Math.round(value));
  const [unit, by] = value < 999_500 ? ['k', 1e3] : value < 999_500_000 ? ['M', 1e6] : ['B', 1e9];
  const scaled = value / (by as number);
  return `${scaled.toFixed(scaled < 10 ? 2 : scaled < 99.95 ? 1 : 0)}${unit}`;
}

export function whole(value: number): string {
  return WHOLE.format(value);
}

export function bytes(value: number): string {
  if (value < 1000) return `${value} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let scaled = value / 1000;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return `${scaled.toFixed(scaled < 10 ? 1 : 0)} ${units[unit]}`;
}

export function millis(value: number): string {
  if (value < 1) return `${value.toFixed(2)} ms`;
  if (value < 10) return `${value.toFixed(1)} ms`;
  if (value < 1000) return `${Math.round(value)} ms`;
  if (value < 60_000) return `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(value / 60_000)} min ${Math.round((value % 60_000) / 1000)} s`;
}

/** "12 s ago", "in 3 days", "just now". */
export function relative(at: string | null, now: number): string {
  if (at === null) return 'never';
  const delta = Date.parse(at) - now;
  const size = Math.abs(delta);
  if (size < 5_000) return 'just now';
  const text =
    size < 60_000
      ? `${Math.round(size / 1000)} s`
      : size < 3_600_000
        ? `${Math.round(size / 60_000)} min`
        : size < DAY
          ? `${Math.round(size / 3_600_000)} h`
          : size < 1.5 * DAY
            ? '1 day'
            : size < 60 * DAY
              ? `${Math.round(size / DAY)} days`
              : `${Math.round(size / (30 * DAY))} months`;
  return delta > 0 ? `in ${text}` : `${text} ago`;
}

/** 14:03:27 today, 20 Nov 14:03 otherwise. */
export function clock(at: string, now: number): string {
  const date = new Date(at);
  const sameDay = date.toDateString() === new Date(now).toDateString();
  if (sameDay) return date.toLocaleTimeString('en-GB');
  const day = date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
  return `${day} ${date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })}`;
}

export function day(at: string | null): string {
  if (at === null) return '—';
  return new Date(at).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
}

export function exact(at: string): string {
  const date = new Date(at);
  return `${day(at)}, ${date.toLocaleTimeString('en-GB')}`;
}

/** How a figure moved against the one before, in words; direction only, no verdict. */
export function change(now: number, before: number): { direction: 'up' | 'down' | 'same' | 'new'; text: string } {
  if (now === before) return { direction: 'same', text: 'unchanged' };
  if (before === 0) return { direction: 'new', text: 'none before' };
  const ratio = now / before;
  const direction = ratio > 1 ? 'up' : 'down';
  if (ratio >= 10) return { direction, text: `${Math.round(ratio)}×` };
  const percent = Math.abs(ratio - 1) * 100;
  return { direction, text: `${percent < 1 ? '<1' : Math.round(percent)}%` };
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${whole(count)} ${count === 1 ? one : many}`;
}

/** 14:03 */
export function hourMinute(at: string): string {
  return new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
}

/** What is left of a span, as a clock shows it: 4:09, 1:02:30; 0:00 when it is over. */
export function remaining(until: string, now: number): string {
  const left = Math.max(0, Math.ceil((Date.parse(until) - now) / 1000));
  const two = (n: number) => String(n).padStart(2, '0');
  const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

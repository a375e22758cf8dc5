/** Dates as they are typed. Pure; the clock comes in as an argument. */

/** What is wrong with an end date, or nothing. Empty means none. */
export function dateProblem(text: string, now: number): string | null {
  const typed = text.trim();
  if (typed === '') return null;
  const at = /^\d{4}-\d{2}-\d{2}$/.test(typed) ? Date.parse(`${typed}T00:00:00Z`) : Number.NaN;
  // A day that is not in the calendar is moved or not read at all.
  if (Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== typed)
    return 'Write it as year-month-day, as in 2027-01-31.';
  return at <= now ? 'That day has passed.' : null;
}

/** 9 → 09:00, 9:30 → 09:30; null when it is no time of day. */
export function timeOfDay(text: string): string | null {
  const parts = /^(\d{1,2})(?::(\d{2}))?$/.exec(text.trim());
  if (!parts) return null;
  const [hour, minute] = [Number(parts[1]), Number(parts[2] ?? '0')];
  if (hour > 24 || minute > 59 || hour * 60 + minute > 1440) return null;
  return `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
}

/** Finds what was meant by a few letters. Pure. */

/** 0 when `query` does not occur in order in `text`; more is better. */
export function score(query: string, text: string): number {
  const wanted = query.toLowerCase().replace(/\s+/g, '');
  if (wanted === '') return 1;
  const lower = text.toLowerCase();
  const whole = lower.indexOf(query.trim().toLowerCase());
  if (whole === 0) return 1000 - text.length / 100;
  if (whole > 0) return (startsWord(lower, whole) ? 800 : 600) - whole / 10 - text.length / 100;
  let at = -1;
  let points = 0;
  for (const c of wanted) {
    const next = lower.indexOf(c, at + 1);
    if (next < 0) return 0;
    points += next === at + 1 ? 8 : startsWord(lower, next) ? 6 : 1;
    at = next;
  }
  return points + 10 - Math.min(9, text.length / 20);
}

export function ranked<T>(query: string, items: readonly T[], text: (item: T) => string, most = 50): T[] {
  if (query.trim() === '') return items.slice(0, most);
  return items
    .map((item) => ({ item, points: score(query, text(item)) }))
    .filter(({ points }) => points > 0)
    .sort((a, b) => b.points - a.points)
    .slice(0, most)
    .map(({ item }) => item);
}

function startsWord(text: string, at: number): boolean {
  return at === 0 || /[\s\-_./:]/.test(text[at - 1] ?? '');
}

/** Those in which every word of the query occurs, in their own order: for tables, where nothing should surprise. */
export function matching<T>(query: string, items: readonly T[], text: (item: T) => string): T[] {
  const words = query
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  return items.filter((item) => {
    const lower = text(item).toLowerCase();
    return words.every((word) => lower.includes(word));
  });
}

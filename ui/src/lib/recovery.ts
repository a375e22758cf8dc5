/** The recovery key's groups, and whether someone wrote them down. Pure. */

export function groups(key: string): string[] {
  return key
    .trim()
    .split(/[\s-]+/)
    .filter((group) => group !== '');
}

/** Two different groups to ask for, counted from 0: never the first, which the eye keeps. */
export function askFor(count: number, random: () => number = Math.random): [number, number] {
  const first = 1 + Math.floor(random() * (count - 1));
  const step = 1 + Math.floor(random() * (count - 2));
  const second = 1 + ((first - 1 + step) % (count - 1));
  return first < second ? [first, second] : [second, first];
}

/** Crockford's base32 reads O as 0, and I and L as 1. */
export function sameGroup(typed: string, group: string): boolean {
  return folded(typed) === folded(group) && group !== '';
}

function folded(text: string): string {
  return text
    .toUpperCase()
    .replace(/[^0-9A-Z]/g, '')
    .replace(/O/g, '0')
    .replace(/[IL]/g, '1');
}

/** Numbers that look random and are the same on every run, so that pictures can be compared. */
export type Random = () => number;

export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T;
}

const CROCKFORD = '0123456789abcdefghjkmnpqrstvwxyz';

export function word(random: Random, length: number, letters = CROCKFORD): string {
  let text = '';
  for (let i = 0; i < length; i += 1) text += letters[Math.floor(random() * letters.length)];
  return text;
}

/** A hash without any strength, for fingerprints of demo keys. */
export function mark(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x01000193;
  for (const c of text) {
    a = Math.imul(a ^ (c.codePointAt(0) ?? 0), 0x01000193) >>> 0;
    b = Math.imul(b ^ a, 0x85ebca6b) >>> 0;
  }
  return a.toString(16).padStart(8, '0') + b.toString(16).padStart(8, '0');
}

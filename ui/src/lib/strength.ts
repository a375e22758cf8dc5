/**
 * How long a password holds against someone with the vault file, who must pay one Argon2id hash for each guess.
 * An estimate from patterns, on the safe side; pure, and it keeps nothing.
 */

export interface Strength {
  /** 0 (none) to 4. */
  score: 0 | 1 | 2 | 3 | 4;
  word: 'Empty' | 'Too weak' | 'Weak' | 'Good' | 'Strong';
  /** What would make it better, or what it withstands. */
  advice: string;
}

const COMMON = (
  '123456 password qwerty letmein welcome admin iloveyou monkey dragon football baseball master sunshine princess ' +
  'shadow superman trustno1 starwars passw0rd login hello freedom whatever secret changeme default claviger openai ' +
  'anthropic claude summer winter spring autumn january monday qazwsx asdfgh zxcvbn abc123 test root pass'
).split(' ');
const ROWS = ['qwertyuiop', 'asdfghjkl', 'zxcvbnm', '1234567890', 'abcdefghijklmnopqrstuvwxyz'];
/** Bits that one character of an unpatterned word is worth: less than it looks, as people choose it. */
const WORD_BITS = 1.9;

export function strength(password: string): Strength {
  if (password === '')
    return { score: 0, word: 'Empty', advice: 'Four or more unrelated words are easy to keep and hard to guess.' };
  const bits = guessBits(password.normalize('NFKC'));
  if (bits < 28) return { score: 1, word: 'Too weak', advice: weakness(password) };
  if (bits < 42) return { score: 2, word: 'Weak', advice: weakness(password) };
  if (bits < 60)
    return {
      score: 3,
      word: 'Good',
      advice: 'Withstands years of guessing by one machine. A further word would make it strong.',
    };
  return { score: 4, word: 'Strong', advice: 'Withstands guessing by anyone without the keychain’s secret.' };
}

/** Base-two logarithm of the guesses that a patient attacker needs. */
export function guessBits(password: string): number {
  let rest = password.toLowerCase();
  let bits = 0;
  for (const common of COMMON) {
    if (rest.includes(common)) {
      rest = rest.split(common).join('\u0000');
      bits += 6;
    }
  }
  rest = rest.replace(/(19|20)\d\d/g, () => ((bits += 5), '\u0000'));
  rest = withoutRuns(rest, () => (bits += 5));
  const pieces = rest.split('\u0000').filter((piece) => piece !== '');
  for (const piece of pieces) bits += pieceBits(piece);
  if (/[A-Z]/.test(password) && !/^[A-Z][^A-Z]*$/.test(password)) bits += 3;
  return bits;
}

function pieceBits(piece: string): number {
  const words = piece.split(/[\s\-_.,;:!?]+/).filter((word) => word !== '');
  let bits = 0;
  const seen = new Set<string>();
  for (const word of words) {
    if (seen.has(word)) {
      bits += 1;
      continue;
    }
    seen.add(word);
    if (/^[\p{L}]+$/u.test(word))
      bits +=
        words.length > 1
          ? Math.min(12, 3.2 * Math.min(word.length, 4))
          : Math.min(11 + Math.max(0, word.length - 6) * WORD_BITS, word.length * 3.3);
    else bits += unlike(word) * classBits(word);
  }
  return bits + Math.max(0, words.length - 1) * 0.5;
}

function classBits(text: string): number {
  const kinds = [/\p{L}/u, /\d/, /[^\p{L}\d]/u].filter((kind) => kind.test(text)).length;
  return kinds === 1 ? (/^\d+$/.test(text) ? 3 : 4.2) : kinds === 2 ? 4.3 : 5;
}

/** How many characters count, when repeated ones hardly do. */
function unlike(text: string): number {
  const different = new Set(text).size;
  return Math.min(text.length, different + (text.length - different) * 0.4);
}

function withoutRuns(text: string, found: () => void): string {
  let rest = text.replace(/(.)\1{2,}/g, () => (found(), '\u0000'));
  for (const row of [...ROWS, ...ROWS.map((one) => [...one].reverse().join(''))]) {
    for (let length = row.length; length >= 4; length -= 1) {
      for (let at = 0; at + length <= row.length; at += 1) {
        const run = row.slice(at, at + length);
        if (rest.includes(run)) {
          rest = rest.split(run).join('\u0000');
          found();
        }
      }
    }
  }
  return rest;
}

function weakness(password: string): string {
  const lower = password.toLowerCase();
  if (COMMON.some((common) => lower.includes(common)))
    return 'It holds a word that attackers try first. Use unrelated words.';
  if (/(19|20)\d\d/.test(password)) return 'Years are tried first. Use unrelated words.';
  if (password.length < 10) return 'It is short. Four or more unrelated words are easy to keep.';
  return 'It is easy to guess. Add one or two unrelated words.';
}

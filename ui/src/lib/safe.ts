/** Text from outside, made harmless to the eye: what an upstream or agent sends must not hide or turn around what is shown. */

// Control characters, zero-width and bidirectional marks, and line separators.
const INVISIBLE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

export function visible(text: string | null | undefined, longest = 400): string {
  if (!text) return '';
  const shown = text.replace(INVISIBLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return shown.length > longest ? `${shown.slice(0, longest)}…` : shown;
}

/** The engine's words, which go on where a terminal began, as sentences of their own. Pure. */

export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return '';
  // A name keeps its small letter.
  const begun = /^[a-z]+[\s,;’']/.test(trimmed) ? trimmed.charAt(0).toUpperCase() + trimmed.slice(1) : trimmed;
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}

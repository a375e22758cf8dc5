/** Which rows of a long list are in sight. Pure. */

export interface Slice {
  first: number;
  /** One past the last. */
  end: number;
}

export function inSight(count: number, rowHeight: number, scrollTop: number, height: number, spare = 8): Slice {
  if (rowHeight <= 0) return { first: 0, end: 0 };
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - spare);
  const end = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + spare);
  return { first: Math.min(first, end), end };
}

/** How much is taken; see {@link fitting}. */
export interface FittingOptions<T> {
  /** Items at most. @default as many as there are */
  readonly limit?: number;
  /** What all of them come to at most, by `sizeOf`; the first one is taken whatever its size. @default anything */
  readonly sizeMax?: number | undefined;
  readonly sizeOf: (item: T) => number;
}

/** Takes items as long as they fit, and looks at one more at most: `more` tells whether it was there. */
export function fitting<T>(
  items: Iterable<T>,
  { limit = Number.POSITIVE_INFINITY, sizeMax = Number.POSITIVE_INFINITY, sizeOf }: FittingOptions<T>,
): { readonly items: T[]; readonly more: boolean } {
  const taken: T[] = [];
  let size = 0;
  for (const item of items) {
    size += sizeOf(item);
    if (taken.length >= limit || (taken.length > 0 && size > sizeMax)) return { items: taken, more: true };
    taken.push(item);
  }
  return { items: taken, more: false };
}

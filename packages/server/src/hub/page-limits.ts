/** Limits for {@link limitPage}. */
export interface PageLimits<T> {
  /** Most items. @default no limit */
  readonly limit?: number;
  /** Largest sum of `sizeOf`. The first item is taken at any size. @default no limit */
  readonly sizeMax?: number | undefined;
  readonly sizeOf: (item: T) => number;
}

/** Takes items while they fit. Reads at most one item more, and sets `more` if there was one. */
export function limitPage<T>(
  items: Iterable<T>,
  { limit = Number.POSITIVE_INFINITY, sizeMax = Number.POSITIVE_INFINITY, sizeOf }: PageLimits<T>,
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

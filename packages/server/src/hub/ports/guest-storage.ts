/** What is stored about guests: their sessions, and how far they have read. */
export type GuestTable = "session" | "read";

/**
 * Keeps guests over a restart of the server. It stores lazily: after a crash the newest changes may be missing. It
 * never fails: at worst nothing is kept.
 */
export interface GuestStorage {
  /** Returns what was stored before the start, by key. A value may be damaged: check it, and remove it if it is. */
  load(table: GuestTable): ReadonlyMap<string, unknown>;
  /** Stores plain data under the key. `undefined` removes it. */
  set(table: GuestTable, key: string, value: unknown): void;
}

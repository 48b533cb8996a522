import type { Entry } from "./room-log.ts";

/** Options of one step of {@link RoomSearch.search}. */
export interface SearchOptions {
  /** Only entries before this `seq`. @default from the newest entry */
  readonly before?: number | undefined;
  /** Most entries. */
  readonly limit: number;
  /** The step ends when the texts found exceed this many UTF-16 units. @default no limit */
  readonly charactersMax?: number | undefined;
}

/** What one step of a search has found. */
export interface Found {
  /** Newest first. */
  readonly entries: readonly Entry[];
  /** The step has ended early: the next one searches before this `seq`. Absent if the search is complete. */
  readonly before?: number | undefined;
}

/**
 * Full-text search over the messages of rooms. It is optional: a hub without it answers `search` with `unsupported`.
 *
 * A search is a sequence of steps. Each takes some milliseconds, so that the hub can let others have their turn between
 * two of them.
 */
export interface RoomSearch {
  /**
   * Finds the newest `chat` entries that contain all words of the query; see {@link wordsOf}. The last word also matches
   * as a prefix.
   *
   * @throws {RoomLogError} `busy`, `io`, `closed`, `failed`.
   */
  search(room: string, query: string, options: SearchOptions): Promise<Found>;
}

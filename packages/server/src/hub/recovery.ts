import type { Position } from "../core/mod.ts";
import type { Entry, Page, ReadBounds, RoomLog } from "./room-log.ts";

/** What a client that joins is given of the past. */
export interface Missed {
  readonly entries: readonly Entry[];
  /** There are older entries than these. */
  readonly more: boolean;
  /** Answers `after`: whether nothing is missing between it and the present. */
  readonly recovered: boolean | undefined;
  /** Why something is missing. */
  readonly reason?: GapReason;
}

/** See {@link Missed}: it is another log, the position is beyond its end, it has forgotten, or there is too much. */
export type GapReason = "log-changed" | "ahead" | "too-old" | "too-many";

/**
 * Reads the entries up to `until` that a client missed after the position it knows: all of them, or, where they are too
 * many or the log does not have them any more, the newest ones and `recovered: false`. Without a position it reads the
 * newest ones.
 */
export async function missedEntries(
  log: RoomLog,
  room: string,
  until: Position,
  after: Position | undefined,
  bounds: ReadBounds,
): Promise<Missed> {
  const before = until.seq + 1;
  const newest = async (): Promise<Page> =>
    bounds.limit === 0 ? { entries: [], more: until.seq > 0 } : await log.read(room, { before, ...bounds });
  const notAll = async (reason: GapReason): Promise<Missed> => ({ ...(await newest()), recovered: false, reason });

  if (after === undefined) return { ...(await newest()), recovered: undefined };
  if (after.epoch !== until.epoch) return notAll("log-changed");
  if (after.seq > until.seq) return notAll("ahead");
  const page = await log.read(room, { after: after.seq, before, ...bounds });
  if (page.more) return notAll("too-many");
  // The first entry must follow the one the client knows; if there is none, it must know the last.
  if ((page.entries[0]?.prev ?? until.seq) !== after.seq) return notAll("too-old");
  return { entries: page.entries, more: after.seq > 0, recovered: true };
}

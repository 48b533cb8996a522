import type { Position } from "../core/mod.ts";
import type { Entry, Page, ReadBounds, RoomLog } from "./ports/room-log.ts";

/** The past entries for a client that joins. */
export interface Missed {
  readonly entries: readonly Entry[];
  /** The log has older entries than these. */
  readonly more: boolean;
  /** With `after`: whether `entries` holds everything between it and the present. */
  readonly recovered: boolean | undefined;
  /** Why `recovered` is false. */
  readonly reason?: GapReason;
}

/**
 * Why entries are missing: the log is a different one, the position is past its end, the log has removed them, or
 * they are too many.
 */
export type GapReason = "log-changed" | "ahead" | "too-old" | "too-many";

/**
 * Reads the entries that a client missed, from the position it knows up to `until`. If they are too many, or the log
 * no longer has them all, reads the newest ones and sets `recovered: false`. Without a position it reads the newest
 * ones.
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
  // The first entry must follow the client's position. Without entries, that position must be the last.
  if ((page.entries[0]?.prev ?? until.seq) !== after.seq) return notAll("too-old");
  return { entries: page.entries, more: after.seq > 0, recovered: true };
}

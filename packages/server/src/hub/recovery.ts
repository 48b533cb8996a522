import type { Position } from "../core/mod.ts";
import type { Entry, RoomLog } from "./room-log.ts";

/** What a client that joins is given of the past. */
export interface Missed {
  readonly entries: readonly Entry[];
  /** There are older entries than these. */
  readonly more: boolean;
  /** Answers `after`: whether nothing is missing between it and the present. */
  readonly recovered: boolean | undefined;
}

/**
 * Reads the entries up to `until` that a client missed after the position it knows: all of them, or, where they are too
 * many or the log does not have them any more, the newest ones and `recovered: false`. Without a position it reads the
 * newest `limit` entries.
 */
export async function missedEntries(
  log: RoomLog,
  room: string,
  until: Position,
  after: Position | undefined,
  limit: number,
): Promise<Missed> {
  const before = until.seq + 1;
  if (after !== undefined && after.epoch === until.epoch && after.seq <= until.seq) {
    const page = await log.read(room, { after: after.seq, before, limit });
    // The first entry must follow the one the client knows; if there is none, it must know the last.
    const isWhole = (page.entries[0]?.prev ?? until.seq) === after.seq;
    if (isWhole && !page.more) return { entries: page.entries, more: after.seq > 0, recovered: true };
  }
  const recovered = after === undefined ? undefined : false;
  if (limit === 0) return { entries: [], more: until.seq > 0, recovered };
  return { ...(await log.read(room, { before, limit })), recovered };
}

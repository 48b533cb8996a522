/**
 * What came while a person did not look. Pure.
 *
 * @module
 */
import type { JoinedMessage, Position } from "@landline/protocol";

/** The messages after a place in the room, as many as came. */
export interface Unread extends Position {
  readonly count: number;
  /** The person has looked: what comes later is counted anew. */
  readonly isSeen: boolean;
}

/** What the server says was not read yet. */
export function unreadOnEntering({ position, read, unread = 0 }: JoinedMessage): Unread | undefined {
  if (read === undefined || unread === 0) return undefined;
  return { epoch: position.epoch, seq: read, count: unread, isSeen: false };
}

/** So many more came after this place. */
export function moreUnread(unread: Unread | undefined, count: number, { epoch, seq }: Position): Unread {
  if (unread === undefined || unread.isSeen) return { epoch, seq, count, isSeen: false };
  return { ...unread, count: unread.count + count };
}

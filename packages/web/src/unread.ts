/**
 * Counts messages that arrived while the user was not looking. Pure.
 *
 * @module
 */
import type { JoinedMessage, Position } from "@landline/protocol";

/** Unread messages after a position in the room, with their number. */
export interface Unread extends Position {
  readonly count: number;
  /** The user has seen the messages: the count restarts. */
  readonly isSeen: boolean;
}

/** The server's count of unread messages. */
export function unreadOnEntering({ position, read, unread = 0 }: JoinedMessage): Unread | undefined {
  if (read === undefined || unread === 0) return undefined;
  return { epoch: position.epoch, seq: read, count: unread, isSeen: false };
}

/** Adds messages that arrived after this position. */
export function moreUnread(unread: Unread | undefined, count: number, { epoch, seq }: Position): Unread {
  if (unread === undefined || unread.isSeen) return { epoch, seq, count, isSeen: false };
  return { ...unread, count: unread.count + count };
}

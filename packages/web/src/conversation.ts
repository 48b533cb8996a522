/**
 * What is shown of one room. Pure: each function returns the conversation after something happened.
 *
 * @module
 */
import type { TopicEvent } from "@landline/client";
import type {
  AckMessage,
  ChatMessage,
  EntryMessage,
  HistoryMessage,
  JoinedMessage,
  Position,
  PresenceMessage,
} from "@landline/protocol";
import { moreUnread, type Unread, unreadOnEntering } from "./unread.ts";

/** One line of the room's history. */
export type Line =
  | {
      readonly kind: "message";
      readonly username: string;
      readonly text: string;
      readonly at: number;
      /** The log that {@link seq} counts in: a server that starts again begins another one, and may count from 1. */
      readonly epoch: string;
      readonly seq: number;
    }
  | { readonly kind: "presence"; readonly username: string; readonly state: "joined" | "left"; readonly at: number }
  | {
      readonly kind: "topic";
      readonly username: string;
      readonly topic: string;
      readonly at: number;
      readonly epoch: string;
      readonly seq: number;
    }
  | { readonly kind: "gap"; readonly at: number };

/** The user's own message without an acknowledgement. */
export interface Outgoing {
  readonly key: number;
  readonly text: string;
  /** When it was written. */
  readonly at: number;
  /** Why it failed; absent while it is pending. */
  readonly failure?: Failure;
  /** The line above a failed message, which stays in its place. Absent if there was none. */
  readonly after?: Line | undefined;
}

/** Why a message was not sent. */
export interface Failure {
  /** Text for the user. */
  readonly message: string;
  /** Sending the same text again may succeed. */
  readonly mayRetry: boolean;
}

export interface Conversation {
  readonly members: readonly string[];
  /** Number of members; the server names at most 200 of them. */
  readonly count: number;
  /** `""` when the room has none. */
  readonly topic: string;
  readonly hasOlder: boolean;
  /** Epoch of the current log. */
  readonly epoch: string;
  /** In the room's order. */
  readonly lines: readonly Line[];
  /** In the order in which they were written. Pending ones are shown after the lines. */
  readonly outgoing: readonly Outgoing[];
  readonly unread: Unread | undefined;
}

/** Lines that are kept; older ones go, and come back with the older messages when they are asked for. */
export const LINES_MAX = 5_000;

/** The conversation after joining a room. */
export function entered(joined: JoinedMessage): Conversation {
  return {
    members: joined.members,
    count: joined.count,
    topic: joined.topic ?? "",
    hasOlder: joined.more ?? false,
    epoch: joined.position.epoch,
    lines: linesOf(joined.entries, joined.position.epoch),
    outgoing: [],
    unread: unreadOnEntering(joined),
  };
}

/** The conversation after a rejoin. */
export function rejoined(
  conversation: Conversation,
  joined: JoinedMessage,
  missed: readonly ChatMessage[],
  isComplete: boolean,
): Conversation {
  const { epoch } = joined.position;
  const gap: Line[] = isComplete ? [] : [{ kind: "gap", at: missed[0]?.at ?? Date.now() }];
  // What came before the lines on top was in a log that is gone.
  const hasOlder = conversation.hasOlder && epoch === conversation.epoch;
  const { members, count, topic = "" } = joined;
  return withLines({ ...conversation, members, count, topic, hasOlder, epoch }, ...gap, ...linesOf(missed, epoch));
}

export function messageArrived(conversation: Conversation, message: ChatMessage): Conversation {
  return withLines(conversation, lineOf(message, conversation.epoch));
}

export function topicChanged(conversation: Conversation, change: Omit<TopicEvent, "type" | "room">): Conversation {
  const { username, topic, at, seq } = change;
  const { epoch } = conversation;
  return withLines({ ...conversation, topic }, { kind: "topic", username, topic, at, epoch, seq });
}

export function gapShown(conversation: Conversation): Conversation {
  return withLines(conversation, { kind: "gap", at: Date.now() });
}

export function presenceChanged(conversation: Conversation, { username, state }: PresenceMessage): Conversation {
  const isMember = conversation.members.includes(username);
  const others = conversation.members.filter((member) => member !== username);
  const told = withLines(conversation, { kind: "presence", username, state, at: Date.now() });
  if (state === "left") return { ...told, members: others, count: Math.max(0, conversation.count - 1) };
  return { ...told, members: [...others, username], count: conversation.count + (isMember ? 0 : 1) };
}

/** Messages of other users arrived while the user was not looking. */
export function unseen(conversation: Conversation, messages: readonly ChatMessage[]): Conversation {
  const [first] = messages;
  if (first === undefined) return conversation;
  const before = { epoch: conversation.epoch, seq: (first.seq ?? 0) - 1 };
  return { ...conversation, unread: moreUnread(conversation.unread, messages.length, before) };
}

/** The user sees the end of the conversation. */
export function seen(conversation: Conversation): Conversation {
  const { unread } = conversation;
  return unread === undefined || unread.isSeen
    ? conversation
    : { ...conversation, unread: { ...unread, isSeen: true } };
}

/** Sending a message marks everything as read. */
export function sending(conversation: Conversation, key: number, text: string): Conversation {
  return {
    ...conversation,
    unread: undefined,
    outgoing: [...withoutKey(conversation, key), { key, text, at: Date.now() }],
  };
}

/** The user's own message was acknowledged: it moves to its place in the room's order, unless a rejoin already put it there. */
export function sent(conversation: Conversation, key: number, username: string, ack: AckMessage): Conversation {
  const text = conversation.outgoing.find((each) => each.key === key)?.text ?? "";
  const { epoch } = conversation;
  const { seq = 0, at = Date.now() } = ack;
  const isThere = conversation.lines.some(
    (line) => line.kind === "message" && line.epoch === epoch && line.seq === seq,
  );
  const own: Line[] = isThere ? [] : [{ kind: "message", username, text, at, epoch, seq }];
  return { ...withLines(conversation, ...own), outgoing: withoutKey(conversation, key) };
}

export function sendingFailed(conversation: Conversation, key: number, failure: Failure): Conversation {
  const after = conversation.lines.at(-1);
  const outgoing = conversation.outgoing.map((each) => (each.key === key ? { ...each, failure, after } : each));
  return { ...conversation, outgoing };
}

/** Removes a failed message. */
export function discarded(conversation: Conversation, key: number): Conversation {
  return { ...conversation, outgoing: withoutKey(conversation, key) };
}

/** Adds older messages. */
export function olderShown(conversation: Conversation, history: HistoryMessage): Conversation {
  return {
    ...conversation,
    hasOlder: history.more && history.entries.length > 0,
    lines: [...linesOf(history.entries, conversation.epoch), ...conversation.lines],
  };
}

/** The first `seq` that is shown, where there are messages before it. */
export function oldestSeq(conversation: Conversation): number | undefined {
  if (!conversation.hasOlder) return undefined;
  return conversation.lines.find(isEntry)?.seq;
}

/** The last entry that is shown of the log that is written now. */
export function newest({ lines, epoch }: Conversation): Position {
  const last = lines.findLast((line) => isEntry(line) && line.epoch === epoch);
  return { epoch, seq: last !== undefined && isEntry(last) ? last.seq : 0 };
}

/** A unique key of a message in the room. */
export function lineKey({ epoch, seq }: { readonly epoch: string; readonly seq: number }): string {
  return `${epoch} ${seq}`;
}

function withLines(conversation: Conversation, ...more: readonly Line[]): Conversation {
  const lines = [...conversation.lines, ...more];
  if (lines.length <= LINES_MAX) return { ...conversation, lines };
  const kept = lines.slice(-LINES_MAX);
  const oldest = kept.find(isEntry);
  // The server can give again what went, as long as it still writes the same log.
  return { ...conversation, lines: kept, hasOlder: oldest?.epoch === conversation.epoch };
}

function linesOf(entries: readonly EntryMessage[], epoch: string): readonly Line[] {
  return entries.flatMap((entry) => {
    if (entry.type === "chat") return [lineOf(entry, epoch)];
    const topic = entry.changes.topic;
    const { username, at, seq } = entry;
    return topic === undefined ? [] : [{ kind: "topic" as const, username, topic, at, epoch, seq }];
  });
}

/** Whether it stands in the room's log. */
function isEntry(line: Line): line is Extract<Line, { kind: "message" | "topic" }> {
  return line.kind === "message" || line.kind === "topic";
}

function lineOf({ username, message, at, seq }: ChatMessage, epoch: string): Line {
  return { kind: "message", username, text: message, at: at ?? Date.now(), epoch, seq: seq ?? 0 };
}

function withoutKey(conversation: Conversation, key: number): readonly Outgoing[] {
  return conversation.outgoing.filter((each) => each.key !== key);
}

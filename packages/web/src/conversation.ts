/**
 * What is shown of one room. Pure: each function returns the conversation after something happened.
 *
 * @module
 */
import type { AckMessage, ChatMessage, HistoryMessage, JoinedMessage, PresenceMessage } from "@landline/protocol";

/** Something in the room's past. */
export type Line =
  | {
      readonly kind: "message";
      readonly username: string;
      readonly text: string;
      readonly at: number;
      readonly seq: number;
    }
  | { readonly kind: "presence"; readonly username: string; readonly state: "joined" | "left"; readonly at: number }
  | { readonly kind: "gap"; readonly at: number };

/** One's own message on its way. */
export interface Outgoing {
  readonly key: number;
  readonly text: string;
  /** Why it failed; it is pending while absent. */
  readonly error?: string;
}

export interface Conversation {
  readonly members: readonly string[];
  /** How many members there are; the server names 200 at most. */
  readonly count: number;
  readonly hasOlder: boolean;
  /** In the room's order. */
  readonly lines: readonly Line[];
  /** In the order in which they were written; shown after the lines. */
  readonly outgoing: readonly Outgoing[];
}

/** A room just entered. */
export function entered(joined: JoinedMessage): Conversation {
  return {
    members: joined.members,
    count: joined.count,
    hasOlder: joined.more ?? false,
    lines: joined.entries.map(lineOf),
    outgoing: [],
  };
}

/** Back after the link broke. */
export function rejoined(
  conversation: Conversation,
  joined: JoinedMessage,
  missed: readonly ChatMessage[],
  isComplete: boolean,
): Conversation {
  const gap: Line[] = isComplete ? [] : [{ kind: "gap", at: missed[0]?.at ?? Date.now() }];
  return {
    ...conversation,
    members: joined.members,
    count: joined.count,
    lines: [...conversation.lines, ...gap, ...missed.map(lineOf)],
  };
}

export function messageArrived(conversation: Conversation, message: ChatMessage): Conversation {
  return { ...conversation, lines: [...conversation.lines, lineOf(message)] };
}

export function gapShown(conversation: Conversation): Conversation {
  return { ...conversation, lines: [...conversation.lines, { kind: "gap", at: Date.now() }] };
}

export function presenceChanged(conversation: Conversation, { username, state }: PresenceMessage): Conversation {
  const isMember = conversation.members.includes(username);
  const others = conversation.members.filter((member) => member !== username);
  const line: Line = { kind: "presence", username, state, at: Date.now() };
  const lines = [...conversation.lines, line];
  if (state === "left") return { ...conversation, lines, members: others, count: Math.max(0, conversation.count - 1) };
  return { ...conversation, lines, members: [...others, username], count: conversation.count + (isMember ? 0 : 1) };
}

export function sending(conversation: Conversation, key: number, text: string): Conversation {
  return { ...conversation, outgoing: [...withoutKey(conversation, key), { key, text }] };
}

/** One's own message was accepted: it moves to its place in the room's order, unless it came back that way already. */
export function sent(conversation: Conversation, key: number, username: string, ack: AckMessage): Conversation {
  const text = conversation.outgoing.find((each) => each.key === key)?.text ?? "";
  const { seq = 0, at = Date.now() } = ack;
  const isThere = conversation.lines.some((line) => line.kind === "message" && line.seq === seq);
  const own: Line[] = isThere ? [] : [{ kind: "message", username, text, at, seq }];
  return { ...conversation, lines: [...conversation.lines, ...own], outgoing: withoutKey(conversation, key) };
}

export function sendingFailed(conversation: Conversation, key: number, error: string): Conversation {
  const outgoing = conversation.outgoing.map((each) => (each.key === key ? { ...each, error } : each));
  return { ...conversation, outgoing };
}

/** A failed message is given up. */
export function discarded(conversation: Conversation, key: number): Conversation {
  return { ...conversation, outgoing: withoutKey(conversation, key) };
}

/** Older messages came. */
export function olderShown(conversation: Conversation, history: HistoryMessage): Conversation {
  return {
    ...conversation,
    hasOlder: history.more && history.entries.length > 0,
    lines: [...history.entries.map(lineOf), ...conversation.lines],
  };
}

/** The first `seq` that is shown. */
export function oldestSeq(conversation: Conversation): number | undefined {
  return conversation.lines.find((line) => line.kind === "message")?.seq;
}

function lineOf({ username, message, at, seq }: ChatMessage): Line {
  return { kind: "message", username, text: message, at: at ?? Date.now(), seq: seq ?? 0 };
}

function withoutKey(conversation: Conversation, key: number): readonly Outgoing[] {
  return conversation.outgoing.filter((each) => each.key !== key);
}

/**
 * Groups lines into blocks: days, consecutive messages of one user, and joins and leaves in one line. Pure.
 *
 * @module
 */
import type { Position } from "@landline/protocol";
import { type Line, lineKey, type Outgoing } from "./conversation.ts";
import type { Unread } from "./unread.ts";

type MessageLine = Extract<Line, { kind: "message" }>;
type PresenceLine = Extract<Line, { kind: "presence" }>;

/** The user's own message without an acknowledgement. */
interface OutgoingLine {
  readonly kind: "outgoing";
  readonly username: string;
  readonly at: number;
  readonly outgoing: Outgoing;
}

/** A line of a user's group of messages. */
export type GroupLine = MessageLine | OutgoingLine;

/** One block, from top to bottom. */
export type Block =
  | { readonly kind: "day"; readonly at: number }
  | { readonly kind: "unread"; readonly at: number; readonly count: number }
  | {
      readonly kind: "messages";
      readonly username: string;
      readonly at: number;
      readonly lines: readonly GroupLine[];
    }
  | { readonly kind: "presences"; readonly at: number; readonly lines: readonly PresenceLine[] }
  | Extract<Line, { kind: "topic" | "gap" }>;

/** A pause after which the same person's messages begin a new group. */
const GROUP_MS = 5 * 60_000;

/** Groups lines into blocks, with a divider before the first unread message. */
export function blocksOf(lines: readonly (Line | OutgoingLine)[], unread?: Unread): readonly Block[] {
  const blocks: Block[] = [];
  const firstUnread = unread === undefined ? undefined : lines.find((line) => isAfter(line, unread));
  let day = "";
  for (const line of lines) {
    const dayOfLine = new Date(line.at).toDateString();
    if (dayOfLine !== day) blocks.push({ kind: "day", at: line.at });
    day = dayOfLine;
    if (unread !== undefined && line === firstUnread) blocks.push({ kind: "unread", at: line.at, count: unread.count });
    const last = blocks.at(-1);
    const group = last === undefined ? undefined : groupFor(last, line);
    if (group === undefined) blocks.push(blockOf(line));
    else group.push(line);
  }
  return blocks;
}

/**
 * Adds the user's own messages without an acknowledgement to the lines. A pending one stands at the end, where it will
 * stand when it is sent. A failed one stays in its place, so that it keeps the focus.
 */
export function withOutgoing(
  lines: readonly Line[],
  outgoing: readonly Outgoing[],
  username: string,
): readonly (Line | OutgoingLine)[] {
  const all: (Line | OutgoingLine)[] = [...lines];
  for (const each of outgoing) {
    let index = all.length;
    if (each.failure !== undefined) {
      // At the top if the line above it is no longer shown.
      index = each.after === undefined ? 0 : all.lastIndexOf(each.after) + 1;
      while (all[index]?.kind === "outgoing") index += 1;
    }
    all.splice(index, 0, { kind: "outgoing", username, at: each.at, outgoing: each });
  }
  return all;
}

/** A unique key of a line of a group. */
export function groupLineKey(line: GroupLine): string {
  return line.kind === "message" ? lineKey(line) : `outgoing ${line.outgoing.key}`;
}

/** Joins and leaves in words, each user once: `ada` `joined`, `bob` `left and came back`. */
export function presenceTexts(
  lines: readonly { readonly username: string; readonly state: string }[],
): readonly { readonly username: string; readonly text: string }[] {
  const states = new Map<string, string[]>();
  for (const { username, state } of lines) {
    const seen = states.get(username);
    if (seen === undefined) states.set(username, [state]);
    else seen.push(state);
  }
  return [...states].map(([username, seen]) => ({ username, text: inWords(seen) }));
}

function isAfter(line: Line | OutgoingLine, { epoch, seq }: Position): boolean {
  return line.kind === "message" && line.epoch === epoch && line.seq > seq;
}

function inWords(states: readonly string[]): string {
  const first = states[0] ?? "";
  const last = states.at(-1) ?? "";
  if (first === last) return last;
  return first === "left" ? "left and came back" : "joined and left";
}

/** The lines of the block that this line belongs to. Returned for appending: copying them each time would be quadratic. */
function groupFor(block: Block, line: Line | OutgoingLine): (Line | OutgoingLine)[] | undefined {
  if (block.kind === "presences" && line.kind === "presence") return block.lines as Line[];
  if (block.kind !== "messages" || (line.kind !== "message" && line.kind !== "outgoing")) return undefined;
  const isSoon = line.at - (block.lines.at(-1)?.at ?? 0) <= GROUP_MS;
  return isSoon && block.username === line.username ? (block.lines as GroupLine[]) : undefined;
}

function blockOf(line: Line | OutgoingLine): Block {
  switch (line.kind) {
    case "message":
    case "outgoing":
      return { kind: "messages", username: line.username, at: line.at, lines: [line] };
    case "presence":
      return { kind: "presences", at: line.at, lines: [line] };
    case "topic":
    case "gap":
      return line;
  }
}

/**
 * Groups lines into blocks: days, consecutive messages of one user, and joins and leaves in one line. Pure.
 *
 * @module
 */
import type { Position } from "@landline/protocol";
import type { Line, Outgoing } from "./conversation.ts";
import type { Unread } from "./unread.ts";

type MessageLine = Extract<Line, { kind: "message" }>;
type PresenceLine = Extract<Line, { kind: "presence" }>;

/** One block, from top to bottom. */
export type Block =
  | { readonly kind: "day"; readonly at: number }
  | { readonly kind: "unread"; readonly at: number; readonly count: number }
  | {
      readonly kind: "messages";
      readonly username: string;
      readonly at: number;
      readonly lines: readonly MessageLine[];
      /** The user's own pending messages, after the acknowledged ones. */
      readonly outgoing?: readonly Outgoing[];
    }
  | { readonly kind: "presences"; readonly at: number; readonly lines: readonly PresenceLine[] }
  | Extract<Line, { kind: "topic" | "gap" }>;

/** A pause after which the same person's messages begin a new group. */
const GROUP_MS = 5 * 60_000;

/** Groups lines into blocks, with a divider before the first unread message. */
export function blocksOf(lines: readonly Line[], unread?: Unread): readonly Block[] {
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
 * Puts pending messages at their final place: in the user's last group, or in a new one. So nothing moves on the ack.
 */
export function withOutgoing(
  blocks: readonly Block[],
  outgoing: readonly Outgoing[],
  username: string,
  now: number,
): readonly Block[] {
  if (outgoing.length === 0) return blocks;
  const last = blocks.at(-1);
  if (last?.kind === "messages" && last.username === username && isSoonAfter(last.lines.at(-1), now)) {
    return [...blocks.slice(0, -1), { ...last, outgoing }];
  }
  const dayBefore = blocks.findLast(({ kind }) => kind === "day")?.at;
  const isNewDay = dayBefore === undefined || new Date(dayBefore).toDateString() !== new Date(now).toDateString();
  const day: readonly Block[] = isNewDay ? [{ kind: "day", at: now }] : [];
  return [...blocks, ...day, { kind: "messages", username, at: now, lines: [], outgoing }];
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

function isAfter(line: Line, { epoch, seq }: Position): boolean {
  return line.kind === "message" && line.epoch === epoch && line.seq > seq;
}

function inWords(states: readonly string[]): string {
  const first = states[0] ?? "";
  const last = states.at(-1) ?? "";
  if (first === last) return last;
  return first === "left" ? "left and came back" : "joined and left";
}

/** The lines of the block that this line belongs to. Returned for appending: copying them each time would be quadratic. */
function groupFor(block: Block, line: Line): Line[] | undefined {
  if (block.kind === "presences" && line.kind === "presence") return block.lines as Line[];
  if (block.kind !== "messages" || line.kind !== "message" || block.username !== line.username) return undefined;
  return isSoonAfter(block.lines.at(-1), line.at) ? (block.lines as Line[]) : undefined;
}

function isSoonAfter(last: MessageLine | undefined, at: number): boolean {
  return last !== undefined && at - last.at <= GROUP_MS;
}

function blockOf(line: Line): Block {
  switch (line.kind) {
    case "message":
      return { kind: "messages", username: line.username, at: line.at, lines: [line] };
    case "presence":
      return { kind: "presences", at: line.at, lines: [line] };
    case "topic":
    case "gap":
      return line;
  }
}

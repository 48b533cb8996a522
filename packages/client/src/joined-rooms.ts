import {
  type EntryMessage,
  type JoinedMessage,
  nameKey,
  type PresenceMessage,
  type TypingMessage,
} from "@landline/protocol";
import type { ChatClientEvent } from "./events.ts";
import { RoomTail } from "./resume.ts";

/** A room is told at most this often that one is writing, in milliseconds. */
const TYPING_MS = 3_000;

/** The rooms that a client wants to be in, and what its user is told of them: each entry once, in the room's order. */
export class JoinedRooms {
  readonly #emit: (event: ChatClientEvent) => void;
  readonly #tails = new Map<string, RoomTail>();

  constructor(emit: (event: ChatClientEvent) => void) {
    this.#emit = emit;
  }

  /** By {@link nameKey}. */
  get tails(): ReadonlyMap<string, RoomTail> {
    return this.#tails;
  }

  /** The room, if it was joined and not left. */
  get(room: string): RoomTail | undefined {
    return this.#tails.get(nameKey(room));
  }

  enter(joined: JoinedMessage): void {
    this.#tails.set(nameKey(joined.room), new RoomTail(joined));
  }

  /** Joined again after a break: tells what was missed; false for a room that this answer is no return to. */
  resume(joined: JoinedMessage): boolean {
    const tail = this.get(joined.room);
    if (tail === undefined || tail.isLive) return false;
    const missed = tail.resume(joined);
    const { recovered = false, reason } = joined;
    this.#emit({ type: "rejoined", joined, missed, recovered, ...(reason === undefined ? {} : { reason }) });
    return true;
  }

  /** False if the user was not in the room. */
  leave(room: string): boolean {
    return this.#tails.delete(nameKey(room));
  }

  /** The link broke. */
  pause(): void {
    for (const tail of this.#tails.values()) tail.pause();
  }

  clear(): void {
    this.#tails.clear();
  }

  /** Somebody else's entry came. */
  arrived(message: EntryMessage): void {
    const tail = this.get(message.room);
    if (tail === undefined || !tail.isLive) return;
    const after = tail.position.seq;
    const arrival = tail.arrive(message);
    if (arrival === "seen") return;
    if (arrival === "gap") this.#emit({ type: "gap", room: tail.room, after, before: message.seq ?? after });
    if (message.type === "chat") {
      this.#emit({ type: "message", message });
    } else if (message.key === "topic") {
      const { room, username, value: topic, seq, at } = message;
      this.#emit({ type: "topic", room, username, topic, seq, at });
    }
  }

  /** Something happened that does not stand in the room's log. */
  told(message: PresenceMessage | TypingMessage): void {
    if (this.get(message.room)?.isLive) this.#emit(message);
  }

  /** Whether the room is to be told that the user is writing; it counts as told then. */
  startsTyping(room: string): boolean {
    const tail = this.get(room);
    const nowMs = Date.now();
    if (tail === undefined || !tail.isLive || nowMs - tail.typedAtMs < TYPING_MS) return false;
    tail.typedAtMs = nowMs;
    return true;
  }
}

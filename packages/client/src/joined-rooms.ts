import {
  type EntryMessage,
  type JoinedMessage,
  nameKey,
  type PresenceMessage,
  type ReadMessage,
  type TypingMessage,
} from "@landline/protocol";
import type { ChatClientEvent } from "./events.ts";
import { RoomTail } from "./resume.ts";

/** Minimum time between two `typing` messages to one room, in milliseconds. */
const TYPING_MS = 3_000;

/** The rooms that a client has joined. Emits each entry of a room once, in the room's order. */
export class JoinedRooms {
  readonly #emit: (event: ChatClientEvent) => void;
  readonly #tails = new Map<string, RoomTail>();
  /** See {@link unjoined}. `undefined` before the first connection. */
  #unjoined: Set<string> | undefined;

  constructor(emit: (event: ChatClientEvent) => void) {
    this.#emit = emit;
  }

  /** By {@link nameKey}. */
  get tails(): ReadonlyMap<string, RoomTail> {
    return this.#tails;
  }

  /** Keys of the resumed session's rooms that the application has neither joined nor left. */
  get unjoined(): ReadonlySet<string> {
    return this.#unjoined ?? new Set();
  }

  /** A session was resumed with these rooms. Those of the first connection wait for the application. */
  resumed(rooms: readonly string[]): void {
    this.#unjoined ??= new Set(rooms.map(nameKey));
  }

  /** The room, if the client has joined it. */
  get(room: string): RoomTail | undefined {
    return this.#tails.get(nameKey(room));
  }

  enter(joined: JoinedMessage): void {
    const key = nameKey(joined.room);
    this.#unjoined?.delete(key);
    this.#tails.set(key, new RoomTail(joined));
  }

  /** Handles the answer to a rejoin: emits `rejoined`. @returns false when the room was not waiting for one. */
  resume(joined: JoinedMessage): boolean {
    const tail = this.get(joined.room);
    if (tail === undefined || tail.isLive) return false;
    const missed = tail.resume(joined);
    const { recovered = false, reason } = joined;
    this.#emit({ type: "rejoined", joined, missed, recovered, ...(reason === undefined ? {} : { reason }) });
    return true;
  }

  /** The server lost entries of the room: until it is rejoined, its events are dropped. @returns it if it was live. */
  interrupt(room: string): RoomTail | undefined {
    const tail = this.get(room);
    if (!tail?.isLive) return undefined;
    tail.pause();
    return tail;
  }

  /** @returns false when the client was not in the room. */
  leave(room: string): boolean {
    const key = nameKey(room);
    const wasUnjoined = this.#unjoined?.delete(key) ?? false;
    return this.#tails.delete(key) || wasUnjoined;
  }

  /** The link broke: until a room is rejoined, its events are dropped. */
  pause(): void {
    for (const tail of this.#tails.values()) tail.pause();
  }

  clear(): void {
    this.#tails.clear();
    this.#unjoined?.clear();
  }

  /** Handles a live entry. */
  arrived(message: EntryMessage): void {
    const tail = this.get(message.room);
    if (tail === undefined || !tail.isLive) return;
    const after = tail.position.seq;
    const arrival = tail.arrive(message);
    if (arrival === "seen") return;
    if (arrival === "gap") this.#emit({ type: "gap", room: tail.room, after, before: message.seq ?? after });
    if (message.type === "chat") {
      this.#emit({ type: "message", message });
      return;
    }
    const topic = message.changes.topic;
    if (topic === undefined) return;
    const { room, username, seq, at } = message;
    this.#emit({ type: "topic", room, username, topic, seq, at });
  }

  /** Handles a live event that is not in the room's log. */
  told(message: PresenceMessage | TypingMessage | ReadMessage): void {
    if (this.get(message.room)?.isLive) this.#emit(message);
  }

  /** Whether to send `typing` to the room now. If so, the room's interval restarts. */
  startsTyping(room: string): boolean {
    const tail = this.get(room);
    const nowMs = Date.now();
    if (tail === undefined || !tail.isLive || nowMs - tail.typedAtMs < TYPING_MS) return false;
    tail.typedAtMs = nowMs;
    return true;
  }
}

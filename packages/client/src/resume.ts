/**
 * The rules for resuming after a reconnect: the last position of each room, what to join, leave and resend, and the
 * back-off. Pure: no clock, no link, no randomness.
 *
 * @module
 */
import {
  type ChatMessage,
  type EntryMessage,
  type HelloMessage,
  type JoinedMessage,
  nameKey,
  type Position,
  type RequestOf,
} from "@landline/protocol";

/** Place of a live entry: next in order, a duplicate, or after missing entries. */
export type Arrival = "next" | "seen" | "gap";

/** The last position that a client has seen of one room. */
export class RoomTail {
  readonly room: string;
  /** Time of the last `typing` sent to the room, in milliseconds since 1970. */
  typedAtMs = 0;
  #position: Position;
  #isLive = true;

  constructor(joined: JoinedMessage) {
    this.room = joined.room;
    this.#position = joined.position;
  }

  /** The last position seen. */
  get position(): Position {
    return this.#position;
  }

  /** Whether the room's entries arrive in order. If not, they are ignored: the answer to the next `join` has them. */
  get isLive(): boolean {
    return this.#isLive;
  }

  /** The link broke, or the server lost entries of the room. */
  pause(): void {
    this.#isLive = false;
  }

  /** The room was rejoined: moves to its position and returns the messages not seen before. */
  resume(joined: JoinedMessage): readonly ChatMessage[] {
    const seen = joined.position.epoch === this.#position.epoch ? this.#position.seq : -1;
    this.#position = joined.position;
    this.#isLive = true;
    const messages = joined.entries.filter((entry) => entry.type === "chat");
    return messages.filter(({ seq }) => seq === undefined || seq > seen);
  }

  /** Classifies a live entry and moves to its position unless it is a duplicate. */
  arrive({ seq, prev }: EntryMessage): Arrival {
    if (seq === undefined) return "next";
    const last = this.#position.seq;
    if (seq <= last) return "seen";
    this.#moveTo(seq);
    return prev !== undefined && prev > last ? "gap" : "next";
  }

  /** The client's own message was acknowledged. The server does not send it back as an event. */
  acknowledged(seq: number): void {
    if (this.#isLive && seq > this.#position.seq) this.#moveTo(seq);
  }

  #moveTo(seq: number): void {
    this.#position = { epoch: this.#position.epoch, seq };
  }
}

/** The client's state when a reconnect is answered with `hello`. */
export interface ResumeState {
  readonly hello: HelloMessage;
  readonly username: string | undefined;
  /** By {@link nameKey}. */
  readonly rooms: ReadonlyMap<string, RoomTail>;
  /** Keys of the session's rooms that the application has neither joined nor left. */
  readonly unjoined: ReadonlySet<string>;
  /** Unacknowledged chat messages, in the order of the calls. */
  readonly chats: readonly (RequestOf<"chat"> & { readonly room: string; readonly id: string })[];
}

/** What to send after a reconnect, in this order. */
export interface ResumePlan {
  /** Rooms of the resumed session that the client left meanwhile. */
  readonly leave: readonly RequestOf<"leave">[];
  readonly join: readonly RequestOf<"join">[];
  /** Chat messages to resend with the same ids. The server acknowledges a stored one as a duplicate. */
  readonly resend: ResumeState["chats"];
  /** Ids of chat messages for rooms that the client has left. */
  readonly drop: readonly string[];
}

/** Decides what to send after a reconnect. */
export function planResume({ hello, username, rooms, unjoined, chats }: ResumeState): ResumePlan {
  // Without a resumed session, the server does not know the name.
  const name = hello.username === undefined && username !== undefined ? { username } : {};
  return {
    leave: (hello.rooms ?? [])
      .filter((room) => !rooms.has(nameKey(room)) && !unjoined.has(nameKey(room)))
      .map((room) => ({ type: "leave", room })),
    join: [...rooms.values()].map(({ room, position }) => ({ type: "join", room, after: position, ...name })),
    resend: chats.filter((chat) => rooms.has(nameKey(chat.room))),
    drop: chats.filter((chat) => !rooms.has(nameKey(chat.room))).map((chat) => chat.id),
  };
}

/** Bounds of the delay before a reconnect attempt. */
export interface Backoff {
  /** Maximum of the first delay, in milliseconds. */
  readonly minMs: number;
  /** Maximum of any delay, in milliseconds. */
  readonly maxMs: number;
}

/**
 * The delay before attempt number `attempt`, counted from 0. Its ceiling doubles from `minMs` up to `maxMs`. The delay is
 * random between half the ceiling and the ceiling, so that the clients of a restarted server do not reconnect at once.
 *
 * @param random from 0 to 1.
 */
export function backoffMs(attempt: number, { minMs, maxMs }: Backoff, random: number): number {
  const ceiling = Math.min(maxMs, minMs * 2 ** attempt);
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}

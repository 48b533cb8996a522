/**
 * What a client must remember to come back after its link broke: how far it read each room, what to ask, what to
 * send again, and how long to wait. Pure: no clock, no link, no randomness of its own.
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

/** How a message stands to what was read before: next in order, known already, or after a hole. */
export type Arrival = "next" | "seen" | "gap";

/** How far a client has read one room. */
export class RoomTail {
  readonly room: string;
  /** When the room was told last that the user is writing, in milliseconds since 1970. */
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

  /** Whether this link has joined the room: before that, its events are part of the answer that will come. */
  get isLive(): boolean {
    return this.#isLive;
  }

  /** The link broke. */
  pause(): void {
    this.#isLive = false;
  }

  /** The room was joined again: moves to its position and returns the messages not seen before. */
  resume(joined: JoinedMessage): readonly ChatMessage[] {
    const seen = joined.position.epoch === this.#position.epoch ? this.#position.seq : -1;
    this.#position = joined.position;
    this.#isLive = true;
    const messages = joined.entries.filter((entry) => entry.type === "chat");
    return messages.filter(({ seq }) => seq === undefined || seq > seen);
  }

  /** Judges a live entry, and moves on to it unless it was seen. */
  arrive({ seq, prev }: EntryMessage): Arrival {
    if (seq === undefined) return "next";
    const last = this.#position.seq;
    if (seq <= last) return "seen";
    this.#moveTo(seq);
    return prev !== undefined && prev > last ? "gap" : "next";
  }

  /** One's own message was acknowledged: it stands in the room's order here and is not sent back. */
  acknowledged(seq: number): void {
    if (seq > this.#position.seq) this.#moveTo(seq);
  }

  #moveTo(seq: number): void {
    this.#position = { epoch: this.#position.epoch, seq };
  }
}

/** What a client knows when the server answered `hello` again. */
export interface ResumeState {
  readonly hello: HelloMessage;
  readonly username: string | undefined;
  /** By {@link nameKey}. */
  readonly rooms: ReadonlyMap<string, RoomTail>;
  /** Chats without an acknowledgement, in the order of the calls. */
  readonly chats: readonly (RequestOf<"chat"> & { readonly room: string; readonly id: string })[];
}

/** What follows a repeated `hello`, in this order. */
export interface ResumePlan {
  /** Rooms that the server took back although the client had left them. */
  readonly leave: readonly RequestOf<"leave">[];
  readonly join: readonly RequestOf<"join">[];
  /** To be sent again with the same ids: what is stored already is acknowledged as a duplicate. */
  readonly resend: ResumeState["chats"];
  /** Ids of chats for rooms that the client has left. */
  readonly drop: readonly string[];
}

/** Decides what to ask and what to send again after a new `hello`. */
export function planResume({ hello, username, rooms, chats }: ResumeState): ResumePlan {
  // Where the session was not taken back, the server does not know the name any more.
  const name = hello.username === undefined && username !== undefined ? { username } : {};
  return {
    leave: (hello.rooms ?? []).filter((room) => !rooms.has(nameKey(room))).map((room) => ({ type: "leave", room })),
    join: [...rooms.values()].map(({ room, position }) => ({ type: "join", room, after: position, ...name })),
    resend: chats.filter((chat) => rooms.has(nameKey(chat.room))),
    drop: chats.filter((chat) => !rooms.has(nameKey(chat.room))).map((chat) => chat.id),
  };
}

/** Bounds of the wait before an attempt to reconnect. */
export interface Backoff {
  /** The first wait at most, in milliseconds. */
  readonly minMs: number;
  /** Any wait at most, in milliseconds. */
  readonly maxMs: number;
}

/**
 * The wait before attempt number `attempt` (from 0): doubling from `minMs` up to `maxMs`, of which a random half
 * is left out so that the clients of a server that fell do not come back all at once.
 *
 * @param random from 0 to 1.
 */
export function backoffMs(attempt: number, { minMs, maxMs }: Backoff, random: number): number {
  const ceiling = Math.min(maxMs, minMs * 2 ** attempt);
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}

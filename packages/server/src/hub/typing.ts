import type { Name } from "../core/mod.ts";
import type { FanOut } from "./fan-out.ts";
import type { Bus, Hint } from "./ports/bus.ts";
import type { Rooms } from "./rooms.ts";
import type { Sessions } from "./sessions.ts";
import type { User } from "./user.ts";

/** Shortest interval between two typing events of one member in one room, in milliseconds. */
const TYPING_MS = 3_000;

/** The parts that {@link Typing} uses. */
export interface TypingOptions {
  readonly bus: Bus;
  readonly rooms: Rooms;
  readonly sessions: Sessions;
  readonly fanOut: FanOut;
}

/** Tells rooms that a user is typing, at most every few seconds. Never stored; a user's entries go with the user. */
export class Typing {
  readonly #bus: Bus;
  readonly #rooms: Rooms;
  readonly #sessions: Sessions;
  readonly #fanOut: FanOut;
  /** When each room was last told, by user, then by room. */
  readonly #toldAt = new WeakMap<User, Map<string, number>>();

  constructor({ bus, rooms, sessions, fanOut }: TypingOptions) {
    this.#bus = bus;
    this.#rooms = rooms;
    this.#sessions = sessions;
    this.#fanOut = fanOut;
  }

  /** A user of this node is typing. */
  typed(user: User, { key: room }: Name, nowMs: number): void {
    if (!this.#isDue(user, room, nowMs)) return;
    const hint = { type: "typing", room, user: { id: user.id, name: user.text } } as const;
    this.tell(hint);
    this.#bus.publish(hint);
  }

  /** Tells the members on this node. */
  tell({ room: key, user: { id, name } }: Extract<Hint, { type: "typing" }>): void {
    const room = this.#rooms.get(key);
    if (room === undefined || room.isEmpty) return;
    this.#fanOut.add(room, { type: "typing", name, user: this.#sessions.user(id) });
  }

  /** Whether to tell the room now. If so, records the time. */
  #isDue(user: User, room: string, nowMs: number): boolean {
    let rooms = this.#toldAt.get(user);
    if (rooms === undefined) {
      rooms = new Map();
      this.#toldAt.set(user, rooms);
    }
    const toldAt = rooms.get(room);
    if (toldAt !== undefined && nowMs - toldAt < TYPING_MS) return false;
    // Remove rooms that the user has left.
    for (const told of rooms.keys()) if (!user.isIn(told)) rooms.delete(told);
    rooms.set(room, nowMs);
    return true;
  }
}

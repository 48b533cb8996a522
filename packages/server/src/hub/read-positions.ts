import type { Decision } from "../core/mod.ts";
import type { Connection } from "./connection.ts";
import type { Bus, Hint } from "./ports/bus.ts";
import type { Users } from "./ports/users.ts";
import type { Rooms } from "./rooms.ts";
import type { Sessions } from "./sessions.ts";
import type { User } from "./user.ts";

/** The parts that {@link ReadPositions} uses. */
export interface ReadPositionsOptions {
  readonly users: Users;
  readonly bus: Bus;
  readonly rooms: Rooms;
  readonly sessions: Sessions;
}

/** Stores how far users have read, and tells their other sessions. */
export class ReadPositions {
  readonly #users: Users;
  readonly #bus: Bus;
  readonly #rooms: Rooms;
  readonly #sessions: Sessions;

  constructor({ users, bus, rooms, sessions }: ReadPositionsOptions) {
    this.#users = users;
    this.#bus = bus;
    this.#rooms = rooms;
    this.#sessions = sessions;
  }

  async mark(
    connection: Connection,
    id: string | undefined,
    { room: name, seq }: Extract<Decision, { type: "read" }>,
  ): Promise<void> {
    const position = this.#rooms.get(name.key)?.position;
    if (position !== undefined) {
      const { id: user } = connection.user as User;
      const { epoch } = position;
      const read = await this.#users.markRead(user, name.key, { epoch, seq: Math.min(seq, position.seq) });
      const hint = { type: "read", room: name.key, user, ...read } as const;
      this.tell(hint, connection);
      this.#bus.publish(hint);
    }
    connection.answer({ type: "ack", id, room: name.text });
  }

  /** Tells the user's connections in the room, except the one that has read it. */
  tell({ room: key, user, epoch, seq }: Extract<Hint, { type: "read" }>, reader?: Connection): void {
    const room = this.#rooms.get(key);
    if (room?.position.epoch !== epoch) return;
    for (const connection of this.#sessions.user(user)?.connections ?? []) {
      if (connection === reader || !connection.session.rooms.has(key)) continue;
      connection.answer({ type: "read", room: room.name.text, seq });
    }
  }
}

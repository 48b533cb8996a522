import type { ChatLimits, CommandOf, Decision, Name, Refusal } from "../core/mod.ts";
import type { Connection } from "./connection.ts";
import type { FanOut } from "./fan-out.ts";
import type { KickEntry } from "./ports/room-log.ts";
import { type Roster, RosterError } from "./ports/roster.ts";
import type { Room } from "./room.ts";
import type { RoomReader } from "./room-reader.ts";
import type { Rooms } from "./rooms.ts";
import type { Sessions } from "./sessions.ts";
import type { Settlement } from "./settlement.ts";

/** The parts that {@link Membership} uses. */
export interface MembershipOptions {
  readonly roster: Roster;
  readonly sessions: Sessions;
  readonly rooms: Rooms;
  readonly fanOut: FanOut;
  readonly settlement: Settlement;
  readonly reader: RoomReader;
  readonly limits: ChatLimits;
  /** Returns a connection to this node by its id. */
  readonly connection: (id: string) => Connection | undefined;
  readonly report: (error: unknown) => void;
}

type DecisionOf<Type extends Decision["type"]> = Extract<Decision, { type: Type }>;

/** Gives connections their names, sessions and rooms, and takes them away. */
export class Membership {
  readonly #roster: Roster;
  readonly #sessions: Sessions;
  readonly #rooms: Rooms;
  readonly #fanOut: FanOut;
  readonly #settlement: Settlement;
  readonly #reader: RoomReader;
  readonly #limits: ChatLimits;
  readonly #connection: (id: string) => Connection | undefined;
  readonly #report: (error: unknown) => void;

  constructor({ roster, sessions, rooms, fanOut, settlement, reader, limits, connection, report }: MembershipOptions) {
    this.#roster = roster;
    this.#sessions = sessions;
    this.#rooms = rooms;
    this.#fanOut = fanOut;
    this.#settlement = settlement;
    this.#reader = reader;
    this.#limits = limits;
    this.#connection = connection;
    this.#report = report;
  }

  async greet(connection: Connection, id: string | undefined, decision: DecisionOf<"greet">): Promise<void> {
    const token = await this.#identify(connection, decision);
    if (typeof token !== "string") {
      connection.answer({ ...token, id });
      return;
    }
    const { session } = connection;
    session.isGreeted = true;
    connection.answer({
      type: "hello",
      id,
      session: token,
      username: connection.user?.text,
      rooms: [...session.rooms.values()].map((room) => room.text),
      limits: this.#limits,
    });
    for (const { key } of session.rooms.values()) {
      const room = this.#rooms.get(key);
      if (room === undefined) continue;
      this.#fanOut.flush(room);
      room.add(connection);
    }
  }

  /** Opens, shares or takes over a session. Returns its token. */
  async #identify(connection: Connection, decision: DecisionOf<"greet">): Promise<string | Refusal> {
    const { name, session: token, share, attempt } = decision;
    if (token !== undefined) {
      return share ? this.#sessions.share(connection, token) : this.#takeOver(connection, token, attempt);
    }
    const { user } = connection;
    // A name that a version 1 client had before.
    if (user !== undefined && name !== undefined && user.key !== name.key) {
      const refusal = await this.#sessions.claim(connection, name, []);
      if (refusal !== undefined) return refusal;
    }
    const begun = await this.#sessions.begin(connection);
    if (typeof begun !== "string" || connection.user !== undefined || name === undefined) return begun;
    return (await this.#sessions.claim(connection, name, [])) ?? begun;
  }

  /** Takes over a session with its rooms. Requests that its earlier connection began end first. */
  async #takeOver(connection: Connection, token: string, attempt: number): Promise<string | Refusal> {
    const { session } = connection;
    const opened: Room[] = [];
    try {
      const taken = await this.#sessions.takeOver(connection, { token, attempt }, async ({ rooms, hasJoined }) => {
        // Before the earlier connection leaves the rooms, so that they stay open.
        for (const name of rooms) opened.push(await this.#rooms.use(name));
        for (const name of rooms) session.rooms.set(name.key, name);
        session.hasJoined = hasJoined;
      });
      if ("type" in taken) return taken;
      if (taken.previous !== undefined) await this.#connection(taken.previous)?.departure;
      return token;
    } catch (error) {
      for (const room of opened) this.#rooms.release(room);
      session.rooms.clear();
      throw error;
    }
  }

  async join(connection: Connection, command: CommandOf<"join">, decision: DecisionOf<"join">): Promise<void> {
    const { name, leave } = decision;
    if (connection.user?.key !== name.key) {
      const refusal = await this.#sessions.claim(connection, name, leave);
      if (refusal !== undefined) {
        connection.answer({ ...refusal, id: command.id });
        return;
      }
      for (const other of leave) this.#remove(connection, other);
    } else {
      for (const other of leave) await this.#exit(connection, other);
    }

    const room = await this.#rooms.use(decision.room, connection.user?.author);
    const { key } = room.name;
    const { session } = connection;
    let hasEntered = false;
    try {
      do {
        if (!session.rooms.has(key)) {
          await this.#rooms.use(room.name);
          session.rooms.set(key, room.name);
          session.hasJoined = true;
          hasEntered = true;
          // False if another connection has taken over the session: this one is about to be dismissed.
          await this.#roster.enter(connection.holder, room.name);
        }
        while (room.isOpening) await this.#rooms.opened(room);
        // A client that comes from another node may know more than has arrived here.
        if (decision.after !== undefined) await this.#rooms.reach(room, decision.after);
        // A kick may have taken the connection out meanwhile.
      } while (room.isOpening || !session.rooms.has(key));
      // Send the members what happened so far. The newcomer has it in its answer, and gets what follows.
      this.#fanOut.flush(room);
      room.add(connection);
      await this.#reader.joined(connection, command.id, room, decision);
    } catch (error) {
      // A client that was told "failed" must not stay in the room.
      if (hasEntered) await this.#exit(connection, room.name);
      throw error;
    } finally {
      this.#rooms.release(room);
    }
  }

  async leave(connection: Connection, id: string | undefined, name: Name): Promise<void> {
    await this.#exit(connection, name);
    connection.answer({ type: "ack", id, room: name.text });
  }

  /** Takes the connections of a user out of a room, except those that joined after the kick. */
  kick(room: Room, { seq, user, author, reason }: KickEntry): void {
    const members = [...(this.#sessions.user(user.id)?.connections ?? [])].filter((each) => room.isSince(each, seq));
    if (members.length > 0) this.#fanOut.flush(room);
    for (const connection of members) {
      connection.answer({ type: "kicked", room: room.name.text, username: author.name, reason });
      this.#exit(connection, room.name).catch(this.#report);
      this.#settlement.left(connection);
    }
  }

  /** Ends the session for good, and with it the connection. */
  async bye(connection: Connection): Promise<void> {
    await ignoringLostLease(this.#sessions.end(connection));
    connection.link.close({ reconnect: false, message: "" });
    connection.gone();
  }

  /** Takes a connection that is gone out of its rooms. Its session waits for the client, if it lasts. */
  async departed(connection: Connection): Promise<void> {
    for (const name of [...connection.session.rooms.values()]) this.#remove(connection, name);
    await ignoringLostLease(this.#sessions.detach(connection)).catch(this.#report);
  }

  /** Takes the session out of a room. If it was the user's last one there, the others are told. */
  async #exit(connection: Connection, name: Name): Promise<void> {
    if (!this.#remove(connection, name)) return;
    await ignoringLostLease(this.#roster.leave(connection.holder, name.key));
  }

  /** Takes a connection out of a room, on this node only. Returns whether it was there. */
  #remove(connection: Connection, name: Name): boolean {
    if (!connection.session.rooms.delete(name.key)) return false;
    const room = this.#rooms.get(name.key);
    if (room === undefined) return true;
    // A client that is gone gets nothing more. Not flushing then keeps many simultaneous departures in one batch.
    if (!connection.isGone) this.#fanOut.flush(room);
    room.remove(connection);
    this.#rooms.release(room);
    return true;
  }
}

/**
 * Without a lease, this node's connections have ended for the others already. When it claims its sessions again, it
 * says what has become of them.
 */
async function ignoringLostLease(change: Promise<void>): Promise<void> {
  await change.catch((error) => {
    if (!(error instanceof RosterError)) throw error;
  });
}

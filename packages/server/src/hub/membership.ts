import {
  type ChatLimits,
  type CommandOf,
  type Decision,
  type Name,
  type Refusal,
  refuse,
  skeletonOf,
} from "../core/mod.ts";
import type { Connection } from "./connection.ts";
import type { FanOut } from "./fan-out.ts";
import { Person } from "./person.ts";
import type { Presence } from "./ports/presence.ts";
import type { Registry } from "./ports/registry.ts";
import type { RoomReader } from "./room-reader.ts";
import type { Rooms } from "./rooms.ts";
import { Sessions } from "./sessions.ts";

/** The parts that {@link Membership} uses. */
export interface MembershipOptions {
  readonly presence: Presence;
  readonly registry: Registry;
  readonly rooms: Rooms;
  readonly fanOut: FanOut;
  readonly reader: RoomReader;
  readonly limits: ChatLimits;
  /** Called with a connection whose session another one took over. */
  readonly forget: (connection: Connection) => void;
  readonly newSecret: () => string;
  readonly report: (error: unknown) => void;
}

type DecisionOf<Type extends Decision["type"]> = Extract<Decision, { type: Type }>;

/** Gives connections their names, sessions and rooms, and takes them away. */
export class Membership {
  readonly #presence: Presence;
  readonly #registry: Registry;
  readonly #rooms: Rooms;
  readonly #fanOut: FanOut;
  readonly #reader: RoomReader;
  readonly #limits: ChatLimits;
  readonly #forget: (connection: Connection) => void;
  readonly #report: (error: unknown) => void;
  readonly #sessions: Sessions;

  constructor({ presence, registry, rooms, fanOut, reader, limits, forget, newSecret, report }: MembershipOptions) {
    this.#presence = presence;
    this.#registry = registry;
    this.#rooms = rooms;
    this.#fanOut = fanOut;
    this.#reader = reader;
    this.#limits = limits;
    this.#forget = forget;
    this.#report = report;
    const connectionsMax = limits.connectionsPerPersonMax;
    this.#sessions = new Sessions({ registry, rooms, fanOut, connectionsMax, newSecret, report });
  }

  async greet(connection: Connection, id: string | undefined, decision: DecisionOf<"greet">): Promise<void> {
    const refusal = await this.#identify(connection, decision);
    if (refusal !== undefined) {
      connection.answer({ ...refusal, id });
      return;
    }
    connection.session.isGreeted = true;
    this.#sessions.open(connection);
    connection.answer({
      type: "hello",
      id,
      session: connection.secret,
      username: connection.person?.text,
      rooms: [...connection.session.rooms.values()].map((room) => room.text),
      limits: this.#limits,
    });
    for (const name of connection.session.rooms.values()) this.#rooms.get(name.key)?.add(connection);
  }

  /** Claims, shares or takes over the client's name. Returns the refusal, if any. */
  async #identify(connection: Connection, decision: DecisionOf<"greet">): Promise<Refusal | undefined> {
    const { person, session, share, attempt } = decision;
    if (session === undefined) return person === undefined ? undefined : this.#claim(connection, person);
    if (share) return this.#sessions.share(connection, session);
    const taken = await this.#sessions.takeBack(connection, session, attempt);
    if ("type" in taken) return taken;
    this.#forget(taken);
    return undefined;
  }

  async join(connection: Connection, command: CommandOf<"join">, decision: DecisionOf<"join">): Promise<void> {
    const { person: name, leave } = decision;
    if (connection.person?.key !== name.key) {
      const refusal = await this.#claim(connection, name, leave);
      if (refusal !== undefined) {
        connection.answer({ ...refusal, id: command.id });
        return;
      }
    }
    for (const other of leave) await this.#exit(connection, other);

    const room = await this.#rooms.use(decision.room);
    const person = connection.person as Person;
    const { key } = room.name;
    const isNew = !connection.session.rooms.has(key);
    if (!isNew) this.#rooms.release(room);
    try {
      if (isNew) {
        connection.session.rooms.set(key, room.name);
        connection.session.hasJoined = true;
        // No effect if the person is already in the room on another connection.
        await this.#presence.enter(key, person.text, connection);
      }
      // Send the members what happened so far. The newcomer has it in its answer, and gets what follows.
      this.#fanOut.flush(room);
      room.add(connection);
      await this.#reader.joined(connection, command.id, room, decision);
    } catch (error) {
      // A client that was told "failed" must not stay in the room.
      if (isNew) await this.#exit(connection, room.name);
      throw error;
    }
  }

  /** Claims the name for the client and releases its previous one. Returns the refusal, if any. */
  async #claim(connection: Connection, name: Name, leave: readonly Name[] = []): Promise<Refusal | undefined> {
    const claim = await this.#registry.claim({ key: name.key, skeleton: skeletonOf(name.text) }, connection.id);
    if (claim === "in-use") return refuse("name-in-use", `The name ${name.text} is in use`);
    if (claim === "look-alike") return refuse("name-in-use", `The name ${name.text} looks like another that is in use`);
    const { person: before } = connection;
    // Leave the old rooms while the client still has its old name.
    for (const room of leave) await this.#exit(connection, room);
    connection.session.person = new Person(name, connection);
    if (before !== undefined) await this.#registry.release(before.key, before.owner);
    return undefined;
  }

  async leave(connection: Connection, id: string | undefined, name: Name): Promise<void> {
    await this.#exit(connection, name);
    connection.answer({ type: "ack", id, room: name.text });
  }

  /** Removes a client from a room. If it was the person's last connection there, tells the others. */
  async #exit(connection: Connection, name: Name): Promise<void> {
    if (!connection.session.rooms.delete(name.key)) return;
    const person = connection.person as Person;
    const room = this.#rooms.get(name.key);
    if (room === undefined) return;
    // A client that is gone gets nothing more. Not flushing then keeps many simultaneous departures in one batch.
    if (!connection.isGone) this.#fanOut.flush(room);
    room.remove(connection);
    try {
      if (!person.isIn(name.key)) await this.#presence.leave(name.key, person.text, connection);
    } finally {
      this.#rooms.release(room);
    }
  }

  /** Leaves all rooms of a connection that is gone, and releases its name. */
  async departed(connection: Connection): Promise<void> {
    const { session, person } = connection;
    for (const name of [...session.rooms.values()]) await this.#exit(connection, name).catch(this.#report);
    if (person?.connections.delete(connection) && person.connections.size === 0) {
      await this.#registry.release(person.key, person.owner).catch(this.#report);
    }
    // Last: a client that asks for the session must find it, and wait, until the name is free.
    this.#sessions.close(connection);
  }
}

import { type Refusal, refuse } from "../core/mod.ts";
import type { Connection } from "./connection.ts";
import type { FanOut } from "./fan-out.ts";
import type { Person } from "./person.ts";
import type { Registry } from "./ports/registry.ts";
import type { Rooms } from "./rooms.ts";

/** The parts that {@link Sessions} uses. */
export interface SessionsOptions {
  readonly registry: Registry;
  readonly rooms: Rooms;
  readonly fanOut: FanOut;
  /** Most connections of one person. */
  readonly connectionsMax: number;
  readonly newSecret: () => string;
  readonly report: (error: unknown) => void;
}

const UNKNOWN = refuse("session-unknown", "There is no such session any more");

/** Sessions by their secret. A secret lets a client take over its connection, or share its person. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #connections = new Map<string, Connection>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /**
   * Gives the client a secret. A session that was taken over keeps its secret: if the answer is lost, the client must
   * be able to retry.
   */
  open(connection: Connection): void {
    if (connection.secret !== "") return;
    connection.secret = this.#options.newSecret();
    this.#connections.set(connection.secret, connection);
  }

  /** Forgets the session of a client that left. Its name is free or belongs to another client. */
  close(connection: Connection): void {
    this.#connections.delete(connection.secret);
  }

  /**
   * Moves the name and rooms of a connection to this client. Resolves to the old client, which is disconnected; the
   * rooms are not told. Refuses an attempt that a later one overtook.
   */
  async takeBack(connection: Connection, secret: string, attempt: number): Promise<Connection | Refusal> {
    const old = this.#connections.get(secret);
    if (old === undefined || attempt <= old.attempt) return UNKNOWN;
    if (old.isGone) return await unknownOnceGone(old);
    connection.secret = secret;
    connection.attempt = attempt === Number.POSITIVE_INFINITY ? old.attempt : attempt;
    this.#connections.set(secret, connection);
    const { person: before } = connection;
    // From here on, the session's requests go to this client, while the old one finishes its requests.
    connection.session = old.session;
    old.sayGoodbye({ code: "replaced", message: "Another connection took this session", reconnect: false });
    await old.retire();
    connection.person?.connections.delete(old);
    connection.person?.connections.add(connection);
    for (const key of connection.session.rooms.keys()) {
      const room = this.#options.rooms.get(key);
      if (room === undefined) continue;
      this.#options.fanOut.flush(room);
      room.remove(old);
    }
    await this.#release(before);
    return old;
  }

  /** Makes the client one more connection of the session's person. It is in no room yet. */
  async share(connection: Connection, secret: string): Promise<Refusal | undefined> {
    const other = this.#connections.get(secret);
    if (other?.isGone) return await unknownOnceGone(other);
    const person = other?.person;
    if (person === undefined) return UNKNOWN;
    const { connectionsMax } = this.#options;
    if (person.connections.size >= connectionsMax) {
      return refuse("too-many-connections", `A person has at most ${connectionsMax} connections`);
    }
    const { person: before } = connection;
    person.connections.add(connection);
    connection.session.person = person;
    await this.#release(before);
    return undefined;
  }

  /**
   * Releases the client's previous name. A version 1 client can have one: it can join, leave, and then send `hello`.
   */
  async #release(before: Person | undefined): Promise<void> {
    if (before === undefined) return;
    await this.#options.registry.release(before.key, before.owner).catch(this.#options.report);
  }
}

/** Waits until the client has left its rooms and its name is free. Then refuses: the name can be claimed as usual. */
async function unknownOnceGone(connection: Connection): Promise<Refusal> {
  await connection.departure;
  return UNKNOWN;
}

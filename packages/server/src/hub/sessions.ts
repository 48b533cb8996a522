import { type Refusal, refuse } from "../core/mod.ts";
import type { Client } from "./client.ts";
import type { FanOut } from "./fan-out.ts";
import type { Person } from "./person.ts";
import type { Registry } from "./registry.ts";
import type { Rooms } from "./rooms.ts";

/** What sessions work with. */
export interface SessionsOptions {
  readonly registry: Registry;
  readonly rooms: Rooms;
  readonly fanOut: FanOut;
  /** Connections that one person may have. */
  readonly connectionsMax: number;
  readonly newSecret: () => string;
  readonly report: (error: unknown) => void;
}

const UNKNOWN = refuse("session-unknown", "There is no such session any more");

/** The secrets of the connections: whoever has one can take that connection back, or be one more of the same person. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #clients = new Map<string, Client>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** Gives the client its secret. One that was taken back stays: the answer may be lost, and then it must do again. */
  open(client: Client): void {
    if (client.secret !== "") return;
    client.secret = this.#options.newSecret();
    this.#clients.set(client.secret, client);
  }

  /** The client has left, and its name is free or somebody else's. */
  close(client: Client): void {
    this.#clients.delete(client.secret);
  }

  /**
   * Moves name and rooms of a connection to this one, and gives the one that ended; the rooms notice nothing. An attempt
   * that was overtaken by a later one on the way must not take from it.
   */
  async takeBack(client: Client, secret: string, attempt: number): Promise<Client | Refusal> {
    const old = this.#clients.get(secret);
    if (old === undefined || attempt <= old.attempt) return UNKNOWN;
    if (old.isGone) return await unknownOnceGone(old);
    client.secret = secret;
    client.attempt = attempt === Number.POSITIVE_INFINITY ? old.attempt : attempt;
    this.#clients.set(secret, client);
    const { person: before } = client;
    // From here on whoever shares the session asks this client, while the old one finishes what it began.
    client.session = old.session;
    old.sayGoodbye({ code: "replaced", message: "Another connection took this session", reconnect: false });
    await old.retire();
    client.person?.connections.delete(old);
    client.person?.connections.add(client);
    for (const key of client.session.rooms.keys()) {
      const room = this.#options.rooms.get(key);
      if (room === undefined) continue;
      this.#options.fanOut.flush(room);
      room.remove(old);
    }
    await this.#release(before);
    return old;
  }

  /** Makes the client one more connection of the person who has this one; it is in no room yet. */
  async share(client: Client, secret: string): Promise<Refusal | undefined> {
    const other = this.#clients.get(secret);
    if (other?.isGone) return await unknownOnceGone(other);
    const person = other?.person;
    if (person === undefined) return UNKNOWN;
    const { connectionsMax } = this.#options;
    if (person.connections.size >= connectionsMax) {
      return refuse("too-many-connections", `A person has at most ${connectionsMax} connections`);
    }
    const { person: before } = client;
    person.connections.add(client);
    client.session.person = person;
    await this.#release(before);
    return undefined;
  }

  /** The name that a connection had before goes: version 1 can take one, leave its room, and say hello. */
  async #release(before: Person | undefined): Promise<void> {
    if (before === undefined) return;
    await this.#options.registry.release(before.key, before.owner).catch(this.#options.report);
  }
}

/** It leaves its rooms itself; after that, its name can be had in the usual way. */
async function unknownOnceGone(client: Client): Promise<Refusal> {
  await client.departure;
  return UNKNOWN;
}

/**
 * A chat server and chat clients in one process, on links that deliver when and as much as a test says, can be cut
 * anywhere, with or without the server noticing, and deliver late what was sent before.
 *
 * @module
 */
import { mock } from "node:test";
import { ChatClient, type ChatClientEvent, type LinkHandlers, type OpenLink } from "@landline/client";
import { RequestReader } from "../packages/server/src/dialects/json/mod.ts";
import type { Client, Link } from "../packages/server/src/hub/mod.ts";
import { HubFixture } from "./hub-fixture.ts";
import { idle } from "./until.ts";

/** Bytes on their way in one direction. */
class Pipe {
  #waiting: Buffer = Buffer.alloc(0);
  #partial = "";

  get length(): number {
    return this.#waiting.length;
  }

  put(bytes: Uint8Array): void {
    this.#waiting = Buffer.concat([this.#waiting, bytes]);
  }

  /** The next bytes arrive; what they complete are the lines. */
  arrive(count: number): readonly string[] {
    // The texts of these tests are ASCII, so that any cut is between two characters.
    const lines = (this.#partial + this.#waiting.toString("latin1", 0, count)).split("\n");
    this.#waiting = this.#waiting.subarray(count);
    this.#partial = lines.pop() as string;
    return lines;
  }
}

/** One link between a client and the server. Each side may believe in it longer than the other. */
export class RoughWire {
  readonly #toServer = new Pipe();
  readonly #toClient = new Pipe();
  readonly #handlers: LinkHandlers;
  readonly #server: Client;
  readonly #reader = new RequestReader();
  #isClientGone = false;
  #isServerGone = false;
  #hasServerClosed = false;

  constructor(fixture: HubFixture, handlers: LinkHandlers) {
    this.#handlers = handlers;
    const pipe = this.#toClient;
    const link: Link = {
      address: "192.0.2.1",
      ping: undefined,
      get bufferedBytes() {
        return pipe.length;
      },
      send: (bytes) => pipe.put(bytes),
      pause: () => undefined,
      resume: () => undefined,
      close: () => {
        this.#hasServerClosed = true;
      },
    };
    this.#server = fixture.hub.connect(link, fixture.formats);
  }

  /** What the client has of it. */
  readonly link = {
    send: (text: string): void => this.#toServer.put(Buffer.from(`${text}\n`)),
    close: (): void => {
      this.#isClientGone = true;
    },
  };

  /** Whether nothing can happen on it any more. */
  get isOver(): boolean {
    return this.#isClientGone && this.#isServerGone;
  }

  get isLive(): boolean {
    return !this.#isClientGone;
  }

  /** Whether nothing is on its way. */
  get isQuiet(): boolean {
    return this.#toServer.length + this.#toClient.length === 0;
  }

  arriveAtServer(count: number): void {
    if (this.#isServerGone) return;
    for (const line of this.#toServer.arrive(count)) this.#server.receive(this.#reader.read(line));
  }

  arriveAtClient(count: number): void {
    for (const line of this.#toClient.arrive(count)) if (!this.#isClientGone) this.#handlers.message(line);
    this.#server.drained();
    if (this.#hasServerClosed && this.#toClient.length === 0) this.cut();
  }

  /** The client's end breaks; what was sent may still arrive, and the server knows nothing. */
  cut(): void {
    if (this.#isClientGone) return;
    this.#isClientGone = true;
    this.#handlers.close(new Error("cut"));
  }

  /** The server learns that it is over; what did not arrive is lost. */
  notice(): void {
    if (this.#isServerGone || !this.#isClientGone) return;
    this.#isServerGone = true;
    this.#server.gone();
  }
}

/** A client, its links from the oldest on, and what its user was told. */
export class RoughClient {
  readonly client: ChatClient;
  readonly events: ChatClientEvent[] = [];
  readonly #fixture: HubFixture;
  #wires: RoughWire[] = [];
  #opening: (() => void)[] = [];

  constructor(fixture: HubFixture, username: string) {
    this.#fixture = fixture;
    this.client = new ChatClient(this.#open, {
      username,
      idPrefix: username,
      random: () => 0.5,
      ackTimeoutMs: 1_000,
      backoffMinMs: 100,
      backoffMaxMs: 400,
    });
    this.client.on((event) => this.events.push(event));
  }

  /** Links that something can happen on, from the oldest on. */
  get wires(): readonly RoughWire[] {
    this.#wires = this.#wires.filter((wire) => !wire.isOver);
    return this.#wires;
  }

  /** Links that were asked for open. */
  accept(): void {
    for (const open of this.#opening.splice(0)) open();
  }

  readonly #open: OpenLink = async (handlers, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#opening.push(resolve);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    await promise;
    const wire = new RoughWire(this.#fixture, handlers);
    this.#wires.push(wire);
    return wire.link;
  };
}

/** The server and its clients. Timers are mocked meanwhile; `close` gives them back. */
export class RoughChat {
  readonly fixture = new HubFixture();
  readonly clients: readonly RoughClient[];

  constructor(...names: readonly string[]) {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
    this.clients = names.map((name) => new RoughClient(this.fixture, name));
  }

  /** Time passes for everyone. */
  async elapse(ms: number): Promise<void> {
    this.fixture.now += ms;
    mock.timers.tick(ms);
    this.fixture.hub.sweep();
    await idle();
  }

  /**
   * All that is under way arrives, on the oldest links first or last, and all that waits for time goes on, until this
   * holds. Then the server learns which links are over.
   */
  async calm(isDone: () => boolean, isOldestFirst = true): Promise<void> {
    for (let round = 0; round < 500; round += 1) {
      for (const each of this.clients) {
        each.accept();
        await idle();
        for (const wire of isOldestFirst ? each.wires : [...each.wires].reverse()) {
          wire.arriveAtServer(Number.MAX_SAFE_INTEGER);
          await idle();
          wire.arriveAtClient(Number.MAX_SAFE_INTEGER);
        }
      }
      await idle();
      if (isDone()) {
        for (const { wires } of this.clients) for (const wire of wires) wire.notice();
        return idle();
      }
      await this.elapse(50);
    }
    throw new Error("It did not come to rest");
  }

  async close(): Promise<void> {
    for (const { client } of this.clients) await client.close();
    mock.timers.reset();
  }
}

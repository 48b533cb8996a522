/**
 * A chat server and chat clients in one process. Tests control their links: when and how many bytes arrive, where a link
 * breaks, and whether the server notices. A broken link may still deliver earlier bytes.
 *
 * @module
 */
import { mock } from "node:test";
import { ChatClient, type ChatClientEvent, type LinkHandlers, type OpenLink } from "@landline/client";
import { RequestReader } from "../packages/server/src/dialects/json/mod.ts";
import type { Connection, Link } from "../packages/server/src/hub/mod.ts";
import { HubFixture, JSON_LINES } from "./hub-fixture.ts";
import { idle } from "./until.ts";

/** Bytes in flight in one direction. */
class Pipe {
  #waiting: Buffer = Buffer.alloc(0);
  #partial = "";

  get length(): number {
    return this.#waiting.length;
  }

  put(bytes: Uint8Array): void {
    this.#waiting = Buffer.concat([this.#waiting, bytes]);
  }

  /** Delivers the next bytes. Returns the lines that they complete. */
  arrive(count: number): readonly string[] {
    // The texts are ASCII, so a cut never splits a character.
    const lines = (this.#partial + this.#waiting.toString("latin1", 0, count)).split("\n");
    this.#waiting = this.#waiting.subarray(count);
    this.#partial = lines.pop() as string;
    return lines;
  }
}

/** A link between a client and the server. One side may notice its end later than the other. */
export class RoughWire {
  readonly #toServer = new Pipe();
  readonly #toClient = new Pipe();
  readonly #handlers: LinkHandlers;
  readonly #server: Connection;
  readonly #reader = new RequestReader((request) => this.#server.receive(request));
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
    this.#server = fixture.hub.connect(link, JSON_LINES);
  }

  /** The client's end. */
  readonly link = {
    send: (text: string): void => this.#toServer.put(Buffer.from(`${text}\n`)),
    close: (): void => {
      this.#isClientGone = true;
    },
  };

  /** Whether both sides have noticed the end. */
  get isOver(): boolean {
    return this.#isClientGone && this.#isServerGone;
  }

  get isLive(): boolean {
    return !this.#isClientGone;
  }

  /** Whether no bytes are in flight. */
  get isQuiet(): boolean {
    return this.#toServer.length + this.#toClient.length === 0;
  }

  arriveAtServer(count: number): void {
    if (this.#isServerGone) return;
    for (const line of this.#toServer.arrive(count)) this.#reader.read(line);
  }

  arriveAtClient(count: number): void {
    for (const line of this.#toClient.arrive(count)) if (!this.#isClientGone) this.#handlers.message(line);
    this.#server.drained();
    if (this.#hasServerClosed && this.#toClient.length === 0) this.cut();
  }

  /** Breaks the client's end. Sent bytes may still arrive, and the server does not notice. */
  cut(): void {
    if (this.#isClientGone) return;
    this.#isClientGone = true;
    this.#handlers.close(new Error("cut"));
  }

  /** Lets the server notice the end. Bytes in flight are lost. */
  notice(): void {
    if (this.#isServerGone || !this.#isClientGone) return;
    this.#isServerGone = true;
    this.#server.gone();
  }
}

/** A client, its links (oldest first) and its events. */
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

  /** The links that are not over, oldest first. */
  get wires(): readonly RoughWire[] {
    this.#wires = this.#wires.filter((wire) => !wire.isOver);
    return this.#wires;
  }

  /** Opens all requested links. */
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

/** The server and its clients. Mocks the timers until `close`. */
export class RoughChat {
  readonly fixture = new HubFixture();
  readonly clients: readonly RoughClient[];

  constructor(...names: readonly string[]) {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
    this.clients = names.map((name) => new RoughClient(this.fixture, name));
  }

  /** Advances the time for the server and all clients. */
  async elapse(ms: number): Promise<void> {
    this.fixture.now += ms;
    mock.timers.tick(ms);
    this.fixture.hub.sweep();
    await idle();
  }

  /**
   * Delivers all bytes, on the oldest links first or last, and advances the time until `isDone` holds. Then the server
   * notices which links are over.
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
    throw new Error("isDone() did not hold after 500 rounds");
  }

  async close(): Promise<void> {
    const closed = Promise.all(this.clients.map(({ client }) => client.close()));
    await idle();
    // No link brings the goodbyes to the server, so the clients stop waiting for its answer.
    mock.timers.tick(1_000);
    await closed;
    mock.timers.reset();
  }
}

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import type { Latencies } from "./latencies.ts";

/** Returns the next request, without its `id`. */
export type NextRequest = () => object;

/**
 * A chat client (version 2 over TCP) with one request in flight. It finds the response by its `id` in the text and does
 * not parse JSON, so it costs less CPU time than the server.
 */
export class Asker {
  readonly #socket: net.Socket;
  /** Received text after the last response. */
  #unread = "";
  /** Makes the ids unique: the log remembers ids of earlier runs. */
  readonly #run = randomUUID();
  #lastRequest = 0;
  #id = "";
  #answer: PromiseWithResolvers<string> | undefined;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => this.#read(text));
    socket.on("error", () => undefined);
    socket.on("close", () => this.#answer?.reject(new Error(`The server ended a connection: ${this.#unread}`)));
  }

  /** Connects, sends hello and joins the rooms. */
  static async enter(port: number, username: string, ...rooms: readonly string[]): Promise<Asker> {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    const asker = new Asker(socket);
    await asker.ask({ type: "hello", version: 2, username });
    for (const room of rooms) await asker.ask({ type: "join", room });
    return asker;
  }

  /** @returns the line of the response. @throws {Error} when the server refuses the request or the connection ends. */
  ask(request: object): Promise<string> {
    this.#lastRequest += 1;
    this.#id = `${this.#run}-${this.#lastRequest}`;
    this.#answer = Promise.withResolvers();
    this.#socket.write(`${JSON.stringify({ id: this.#id, ...request })}\n`);
    return this.#answer.promise;
  }

  /** Sends requests for `seconds` seconds and records the latency of each. */
  async askFor(seconds: number, next: NextRequest, latencies: Latencies, pauseMs = 0): Promise<void> {
    const end = performance.now() + seconds * 1_000;
    for (let start = performance.now(); start < end; start = performance.now()) {
      await this.ask(next());
      latencies.addMs(performance.now() - start);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  #read(text: string): void {
    this.#unread += text;
    if (this.#answer === undefined) {
      this.#unread = this.#unread.slice(this.#unread.lastIndexOf("\n") + 1);
      return;
    }
    const at = this.#unread.indexOf(`"id":"${this.#id}"`);
    const end = at === -1 ? -1 : this.#unread.indexOf("\n", at);
    if (end === -1) {
      // Drop complete lines that are not the response: messages from other clients.
      if (at === -1) this.#unread = this.#unread.slice(this.#unread.lastIndexOf("\n") + 1);
      return;
    }
    const line = this.#unread.slice(this.#unread.lastIndexOf("\n", at) + 1, end);
    const answer = this.#answer;
    this.#answer = undefined;
    this.#unread = this.#unread.slice(end + 1);
    if (line.startsWith('{"type":"error"')) answer.reject(new Error(`The server refused: ${line}`));
    else answer.resolve(line);
  }
}

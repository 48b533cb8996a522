/** ChatClient over TCP: links that break at every byte of a reconnect, and servers that tell it not to reconnect. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { describe, test } from "node:test";
import { ChatClient, type ChatClientEvent, type ChatClientOptions, ChatError } from "@landline/client";
import { tcpLink } from "@landline/client/tcp";
import type { ChatMessage, Request, ServerMessage } from "@landline/protocol";
import { TestServer } from "./chat-server.ts";
import { HELLO_LIMITS } from "./hello-limits.ts";
import { failOnLeaks } from "./leaks.ts";

failOnLeaks();

const HOST = "127.0.0.1";
/** Bytes between two cuts. `LANDLINE_LONG=1` cuts at every byte. */
const STRIDE = process.env.LANDLINE_LONG === "1" ? 1 : 7;
const impatient: ChatClientOptions = { backoffMinMs: 1, backoffMaxMs: 2 };

/** Bytes that a connection carries before it is cut. */
interface Cut {
  readonly toServer: number;
  readonly toClient: number;
  /** Whether the server notices the cut at once, or only after the client has reconnected. */
  readonly isNoticed: boolean;
}

const WHOLE: Cut = { toServer: Number.POSITIVE_INFINITY, toClient: Number.POSITIVE_INFINITY, isNoticed: true };

/** A proxy in front of a chat server that cuts its connections at given bytes. */
class Scissors implements AsyncDisposable {
  /** The requests of clients, a line each, with an empty line before each connection. */
  toServer = "";
  /** Bytes carried by the last connection. */
  carried = { toServer: 0, toClient: 0 };
  /** The cut of the next connection. */
  next: Cut = WHOLE;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cutNow: (cut: Cut) => void = () => undefined;
  /** The server's ends of cut connections that it has not noticed yet. */
  #forgotten: Socket[] = [];

  constructor(port: number) {
    this.#server = createServer((near) => this.#join(near, connect(port, HOST)));
  }

  async open(): Promise<number> {
    this.#server.listen(0, HOST);
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts the current connection now, and the next one at `next`. */
  cut(next: Cut): void {
    this.next = next;
    this.#cutNow(next);
  }

  /** Lets the server notice all cuts. */
  tellServer(): void {
    for (const socket of this.#forgotten.splice(0)) socket.destroy();
  }

  #join(near: Socket, far: Socket): void {
    const limits = this.next;
    this.next = WHOLE;
    const carried = { toServer: 0, toClient: 0 };
    this.toServer += "\n";
    this.carried = carried;
    const cut = ({ isNoticed }: Cut): void => {
      near.destroy();
      if (isNoticed) far.destroy();
      else this.#forgotten.push(far);
    };
    this.#cutNow = cut;
    const carry = (from: Socket, to: Socket, way: "toServer" | "toClient"): void => {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on("error", () => undefined);
      from.on("close", () => {
        this.#sockets.delete(from);
        if (!this.#forgotten.includes(to)) to.destroy();
      });
      from.on("data", (bytes: Buffer) => {
        if (near.destroyed) return;
        const passed = bytes.subarray(0, Math.max(0, limits[way] - carried[way]));
        carried[way] += passed.length;
        if (way === "toServer") this.toServer += passed.toString();
        to.write(passed);
        // Cut after the passed bytes are written, so that they arrive.
        if (carried[way] >= limits[way]) to.write("", () => cut(limits));
      });
    };
    carry(near, far, "toServer");
    carry(far, near, "toClient");
    if (Math.min(limits.toServer, limits.toClient) === 0) cut(limits);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.tellServer();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A client in the lobby, with the events for its user. */
class Person implements AsyncDisposable {
  readonly client: ChatClient;
  readonly shown: ChatMessage[] = [];
  /** Unexpected events. */
  readonly faults: ChatClientEvent[] = [];
  #changed = Promise.withResolvers<void>();

  private constructor(client: ChatClient) {
    this.client = client;
    client.on((event) => {
      if (event.type === "message") this.shown.push(event.message);
      if (event.type === "rejoined") this.shown.push(...event.missed);
      const isIncomplete = event.type === "rejoined" && !event.recovered;
      if (isIncomplete || ["gap", "dropped", "error", "bye"].includes(event.type)) this.faults.push(event);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    });
  }

  static async enter(port: number, username: string): Promise<Person> {
    const person = new Person(new ChatClient(tcpLink({ host: HOST, port }), { ...impatient, username }));
    await person.client.connect();
    await person.client.join("lobby");
    return person;
  }

  /** Waits until the last of these texts is shown. @returns all shown texts of this author. */
  async hears(author: string, texts: readonly string[]): Promise<readonly string[]> {
    const last = texts.at(-1);
    while (!this.shown.some(({ message }) => message === last)) await this.#changed.promise;
    const seqs = this.shown.map(({ seq }) => seq as number);
    assert.deepEqual(
      seqs,
      seqs.toSorted((a, b) => a - b),
      "out of order",
    );
    return this.shown.filter(({ username }) => username === author).map(({ message }) => message);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.client.close();
  }
}

describe("ChatClient whose link is cut during a reconnect", { timeout: 300_000 }, () => {
  for (const isNoticed of [true, false]) {
    for (const way of ["toServer", "toClient"] as const) {
      const name = `${way === "toServer" ? "its requests" : "the answers"}, ${isNoticed ? "" : "un"}noticed by the server`;
      test(`at each byte of ${name}, delivers all messages once and in order, with the same ids`, async () => {
        await using server = await TestServer.start({ limits: { historyMax: 10_000 } });
        await using scissors = new Scissors(server.port);
        await using ada = await Person.enter(server.port, "ada");
        await using bob = await Person.enter(await scissors.open(), "bob");
        const said: { ada: string[]; bob: string[] } = { ada: [], bob: [] };
        let end = 1;
        for (let at = 0; at < end; at += STRIDE) {
          scissors.cut({ ...WHOLE, [way]: at, isNoticed });
          said.ada.push(`ada ${at}`);
          said.bob.push(`bob ${at}`);
          await Promise.all([ada.client.chat("lobby", `ada ${at}`), bob.client.chat("lobby", `bob ${at}`)]);
          scissors.tellServer();
          // The last connection succeeded. Its length is the number of bytes to test.
          end = Math.max(end, scissors.carried[way]);
        }
        assert.ok(end > 150, `the reconnect takes only ${end} bytes`);
        assert.deepEqual(await bob.hears("ada", said.ada), said.ada);
        assert.deepEqual(await ada.hears("bob", said.bob), said.bob);
        assert.deepEqual([...ada.faults, ...bob.faults], []);

        const { entries } = await ada.client.history("lobby", { limit: 10_000 });
        assert.equal(
          entries.filter(({ type }) => type === "chat").length,
          said.ada.length + said.bob.length,
          "a message is stored twice",
        );
        const ids = new Map<string, Set<string>>();
        for (const [line] of scissors.toServer.matchAll(/^\{"type":"chat".*\}$/gm)) {
          const { message, id = "" } = JSON.parse(line) as Extract<Request, { type: "chat" }>;
          ids.set(message, (ids.get(message) ?? new Set()).add(id));
        }
        assert.deepEqual(
          [...ids].map(([message, each]) => [message, each.size]),
          said.bob.map((message) => [message, 1]),
        );
      });
    }
  }
});

/** A server that calls `answer` for each request. */
async function scriptedServer(answer: (request: Request, socket: Socket) => void) {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    let text = "";
    socket.on("error", () => undefined);
    socket.setEncoding("utf8").on("data", (part: string) => {
      const lines = (text + part).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) answer(JSON.parse(line), socket);
    });
  });
  server.listen(0, HOST);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const limits = { ...HELLO_LIMITS, pingMs: 0 };

/** The answer of a normal server. */
function friendly({ type, id }: Request): ServerMessage {
  if (type === "hello") return { type, id, version: 2, session: "secret", limits } as ServerMessage;
  const position = { epoch: "e", seq: 0 };
  return { type: "joined", id, room: "lobby", position, members: ["ada"], count: 1, entries: [] };
}

describe("ChatClient that must not reconnect", { timeout: 300_000 }, () => {
  for (const point of ["hello", "join", "chat"] as const) {
    test(`closes after a goodbye to its ${point}, and rejects pending calls with bye`, async () => {
      await using server = await scriptedServer((request, socket) => {
        const bye: ServerMessage = { type: "bye", code: "replaced", message: "Replaced", reconnect: false };
        const answer = request.type === point ? bye : friendly(request);
        socket.write(`${JSON.stringify(answer)}\n`);
        if (answer === bye) socket.end();
      });
      await using client = new ChatClient(tcpLink({ host: HOST, port: server.port }), {
        ...impatient,
        username: "ada",
      });
      const talk = async (): Promise<void> => {
        await client.connect();
        await client.join("lobby");
        await Promise.all([client.chat("lobby", "one"), client.chat("lobby", "two")]);
      };
      await assert.rejects(talk(), (error) => error instanceof ChatError && error.code === "bye");
      assert.equal(client.state, "closed");
      await assert.rejects(client.chat("lobby", "three"), { code: "bye" });
      assert.equal(server.connections(), 1);
    });
  }
});

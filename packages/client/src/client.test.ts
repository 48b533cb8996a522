import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import type { ChatMessage, Request, ServerMessage } from "@landline/protocol";
import { HELLO_LIMITS } from "../../../test/hello-limits.ts";
import { ChatError, type ChatErrorCode } from "./chat-error.ts";
import { ChatClient } from "./client.ts";
import type { ChatClientOptions } from "./client-options.ts";
import type { ChatClientEvent } from "./events.ts";
import type { LinkHandlers, OpenLink } from "./link.ts";
import type { SessionStore, StoredSession } from "./session-store.ts";

interface Greeting {
  username?: string;
  rooms?: string[];
  session?: string;
  frameBytesMax?: number;
}

/** One link as the server sees it: what it was sent, and what it says. */
class ScriptedLink {
  readonly received: Request[] = [];
  readonly texts: string[] = [];
  readonly handlers: LinkHandlers;
  isClosed = false;

  constructor(handlers: LinkHandlers) {
    this.handlers = handlers;
  }

  say(...messages: ServerMessage[]): void {
    for (const message of messages) this.handlers.message(JSON.stringify(message));
  }

  /** Answers the last request that was not answered through this yet. */
  answer(fields: Omit<ServerMessage, "id">, type?: Request["type"]): void {
    const request = this.received.findLast((each) => type === undefined || each.type === type);
    this.say({ ...fields, id: request?.id } as ServerMessage);
  }

  greet({ frameBytesMax = 65_536, ...fields }: Greeting = {}): void {
    const limits = { ...HELLO_LIMITS, frameBytesMax };
    this.answer({ type: "hello", version: 2, session: "secret-1", limits, ...fields } as ServerMessage, "hello");
  }

  sent(type: Request["type"]): Request[] {
    return this.received.filter((request) => request.type === type);
  }
}

/** A server that accepts links and does nothing by itself. */
class ScriptedServer {
  readonly links: ScriptedLink[] = [];
  refusal: Error | undefined;
  answersBye = true;

  readonly open: OpenLink = async (handlers) => {
    const link = new ScriptedLink(handlers);
    this.links.push(link);
    if (this.refusal !== undefined) throw this.refusal;
    return {
      send: (text) => {
        assert.equal(link.isClosed, false, "nothing is sent on a closed link");
        link.texts.push(text);
        const request: Request = JSON.parse(text);
        link.received.push(request);
        if (request.type === "bye" && this.answersBye) queueMicrotask(() => handlers.close(undefined));
      },
      close: () => {
        link.isClosed = true;
      },
    };
  };

  get link(): ScriptedLink {
    const link = this.links.at(-1);
    assert.ok(link, "a link was opened");
    return link;
  }
}

/** Lets everything run that waits for promises only. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function elapse(ms: number): Promise<void> {
  mock.timers.tick(ms);
  await settled();
}

function failsWith(code: ChatErrorCode) {
  return (error: unknown) => error instanceof ChatError && error.code === code;
}

function said(seq: number, prev = seq - 1): ChatMessage {
  return { type: "chat", room: "lobby", username: "bob", message: `m${seq}`, seq, prev, at: seq };
}

function joined(seq: number, fields: object = {}): ServerMessage {
  const members = ["ada", "bob"];
  const position = { epoch: "e1", seq };
  return { type: "joined", room: "lobby", position, members, count: 2, entries: [], ...fields } as ServerMessage;
}

let server: ScriptedServer;
let client: ChatClient;
let events: ChatClientEvent[];

function newClient(options: ChatClientOptions = {}): void {
  events = [];
  client = new ChatClient(server.open, { username: "ada", idPrefix: "c", random: () => 1, ...options });
  client.on((event) => events.push(event));
}

function eventsOf<Type extends ChatClientEvent["type"]>(type: Type): Extract<ChatClientEvent, { type: Type }>[] {
  return events.filter((event): event is Extract<ChatClientEvent, { type: Type }> => event.type === type);
}

async function online(): Promise<void> {
  const connecting = client.connect();
  await settled();
  server.link.greet();
  await connecting;
}

/** Online, and in the lobby after entry 3. */
async function inLobby(): Promise<void> {
  await online();
  const joining = client.join("lobby");
  server.link.answer(joined(3));
  await joining;
}

function saidBye(): boolean {
  return server.link.sent("bye").length > 0;
}

/** Every `hello` of every link, without its id. */
function hellos(): object[] {
  return server.links.flatMap((link) => link.sent("hello")).map(({ id: _, ...hello }) => hello);
}

/** Breaks the link and lets the client open the next one. */
async function breakLink(waitMs = 500): Promise<void> {
  server.link.handlers.close(new Error("reset"));
  await elapse(waitMs);
}

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  server = new ScriptedServer();
  newClient();
});

afterEach(async () => {
  await client.close();
  mock.timers.reset();
});

describe("ChatClient.connect()", () => {
  test("sends hello with version 2 and resolves on the answer", async () => {
    assert.equal(client.state, "offline");
    const connecting = client.connect();
    assert.equal(client.state, "connecting");
    await settled();
    server.link.say({ type: "welcome", message: "Welcome!" });
    assert.deepEqual(server.link.received, [{ type: "hello", id: "c-1", version: 2 }]);
    assert.equal(client.state, "connecting");
    server.link.greet();
    await connecting;
    assert.equal(client.state, "online");
    assert.deepEqual(
      eventsOf("state").map((event) => event.state),
      ["connecting", "online"],
    );
  });

  test("rejects when the link cannot be opened, then can be called again", async () => {
    server.refusal = new Error("Cannot connect to localhost:1: refused");
    await assert.rejects(client.connect(), { code: "disconnected", message: server.refusal.message });
    assert.equal(client.state, "offline");
    server.refusal = undefined;
    await online();
    assert.equal(client.state, "online");
  });

  test("rejects with not-a-chat-server when the first answer is not a chat message", async () => {
    const echoedHello = JSON.stringify({ type: "hello", id: "x", version: 2 });
    for (const answer of ["HTTP/1.1 400 Bad Request", "Echo: {}", "[]", echoedHello]) {
      const connecting = client.connect();
      await settled();
      server.link.handlers.message(answer);
      await assert.rejects(connecting, failsWith("not-a-chat-server"), answer);
      assert.equal(server.link.isClosed, true);
    }
  });

  test("rejects with the server's code when hello is refused", async () => {
    const connecting = client.connect();
    await settled();
    server.link.answer({ type: "error", code: "unsupported-version", message: "no" } as ServerMessage);
    await assert.rejects(connecting, failsWith("unsupported-version"));
    assert.equal(server.link.isClosed, true);
  });

  test("rejects when hello is not answered within ackTimeoutMs, not earlier", async () => {
    const connecting = client.connect();
    const timedOut = assert.rejects(connecting, failsWith("timeout"));
    await elapse(9_999);
    assert.equal(client.state, "connecting");
    await elapse(1);
    await timedOut;
    assert.equal(server.link.isClosed, true);
  });

  test("rejects with the signal's reason on abort, and closes the link", async () => {
    const controller = new AbortController();
    const connecting = client.connect({ signal: controller.signal });
    await settled();
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(connecting, reason);
    assert.equal(server.link.isClosed, true);
    assert.equal(client.state, "offline");
    await assert.rejects(client.connect({ signal: AbortSignal.abort(reason) }), reason);
  });

  test("throws TypeError while the client is online", async () => {
    await online();
    await assert.rejects(client.connect(), TypeError);
  });
});

describe("ChatClient requests", () => {
  test("join() sends the name only once and resolves with the answer", async () => {
    await online();
    const joining = client.join("lobby", { history: 20 });
    assert.deepEqual(server.link.received.at(-1), {
      type: "join",
      id: "c-2",
      room: "lobby",
      username: "ada",
      history: 20,
    });
    server.link.answer(joined(3, { entries: [said(3)] }));
    assert.deepEqual((await joining).entries, [said(3)]);
    const second = client.join("den");
    assert.deepEqual(server.link.received.at(-1), { type: "join", id: "c-3", room: "den" });
    server.link.answer(joined(0, { room: "den" }));
    await second;
  });

  test("join() with a username sets the client's username", async () => {
    newClient({ username: "ignored" });
    await online();
    const joining = client.join("lobby", { username: "eve" });
    server.link.answer(joined(3));
    await joining;
    assert.equal(client.username, "eve");
  });

  test("username is in NFC, as the server sends it", async () => {
    newClient({ username: "E\u0301mile" });
    assert.equal(client.username, "\u00c9mile");
    await online();
    const joining = client.join("lobby", { username: "Rene\u0301" });
    server.link.answer(joined(3));
    await joining;
    assert.equal(client.username, "Ren\u00e9");
  });

  test("chat() resolves with its own acknowledgement, in any order of acknowledgements", async () => {
    await inLobby();
    const first = client.chat("lobby", "one");
    const second = client.chat("lobby", "two");
    assert.deepEqual(server.link.sent("chat"), [
      { type: "chat", room: "lobby", message: "one", id: "c-3" },
      { type: "chat", room: "lobby", message: "two", id: "c-4" },
    ]);
    server.link.say({ type: "ack", id: "c-4", room: "lobby", seq: 5, at: 50 });
    server.link.say({ type: "ack", id: "c-3", room: "lobby", seq: 4, at: 40 });
    assert.equal((await first).seq, 4);
    assert.equal((await second).seq, 5);
  });

  test("an error answer rejects only its request, with code and retryAfterMs", async () => {
    await inLobby();
    const refused = client.chat("lobby", "long");
    const taken = client.chat("lobby", "short");
    server.link.say({ type: "error", id: "c-3", code: "message-too-long", message: "Too long", retryAfterMs: 7 });
    server.link.say({ type: "ack", id: "c-4", room: "lobby", seq: 4, at: 1 });
    await assert.rejects(refused, (error: ChatError) => error.code === "message-too-long" && error.retryAfterMs === 7);
    await taken;
    assert.deepEqual(eventsOf("error"), []);
  });

  test("chat() rejects a request one byte over frameBytesMax", async () => {
    await inLobby();
    const chat = client.chat("lobby", "é\ud800");
    const bytes = Buffer.byteLength(server.link.texts.at(-1) as string);
    server.link.answer({ type: "ack", room: "lobby", seq: 4, at: 1 } as ServerMessage, "chat");
    await chat;
    await breakLink();
    server.link.greet({ username: "ada", frameBytesMax: bytes });
    server.link.answer(joined(4), "join");
    client.chat("lobby", "é\ud800").catch(() => undefined);
    assert.equal(Buffer.byteLength(server.link.texts.at(-1) as string), bytes);
    await assert.rejects(client.chat("lobby", "éé\ud800"), failsWith("message-too-long"));
    assert.equal(server.link.sent("chat").length, 1);
  });

  test("an error without a pending request is emitted as an event", async () => {
    await online();
    server.link.say({ type: "error", code: "invalid-json", message: "Invalid JSON" });
    assert.equal(eventsOf("error")[0]?.error.code, "invalid-json");
  });

  test("who(), rooms(), history(), users() and ping() resolve with their answers", async () => {
    await inLobby();
    const who = client.who("lobby");
    server.link.answer({ type: "who", room: "lobby", members: ["ada"], count: 1 } as ServerMessage);
    assert.deepEqual((await who).members, ["ada"]);
    const rooms = client.rooms();
    server.link.answer({ type: "rooms", rooms: [{ room: "lobby", count: 1 }] } as ServerMessage);
    assert.equal((await rooms).rooms.length, 1);
    const history = client.history("lobby", { before: 3, limit: 2 });
    assert.deepEqual(server.link.received.at(-1), { type: "history", room: "lobby", before: 3, limit: 2, id: "c-5" });
    server.link.answer({ type: "history", room: "lobby", entries: [said(1), said(2)], more: false } as ServerMessage);
    assert.equal((await history).entries.length, 2);
    const users = client.users("lobby", "A", { limit: 5 });
    assert.deepEqual(server.link.received.at(-1), { type: "users", room: "lobby", prefix: "A", limit: 5, id: "c-6" });
    server.link.answer({ type: "users", room: "lobby", users: ["ada"], more: false } as ServerMessage);
    assert.deepEqual((await users).users, ["ada"]);
    const ping = client.ping();
    server.link.answer({ type: "pong" });
    assert.ok((await ping) >= 0);
  });

  test("search(), topic(), setTopic() and markRead() resolve with their answers", async () => {
    await inLobby();
    const search = client.search("lobby", "m1", { limit: 2 });
    assert.deepEqual(server.link.received.at(-1), { type: "search", room: "lobby", query: "m1", limit: 2, id: "c-3" });
    server.link.answer({ type: "search", room: "lobby", entries: [said(1)], more: false } as ServerMessage);
    assert.deepEqual((await search).entries, [said(1)]);
    const topic = client.topic("lobby");
    server.link.answer({ type: "topic", room: "lobby", topic: "Plans" } as ServerMessage);
    assert.equal(await topic, "Plans");
    const setting = client.setTopic("lobby", "More");
    assert.deepEqual(server.link.received.at(-1), { type: "topic", room: "lobby", topic: "More", id: "c-5" });
    server.link.answer({ type: "ack", room: "lobby", seq: 4, at: 1 } as ServerMessage);
    assert.equal((await setting).seq, 4);
    const reading = client.markRead("lobby", 4);
    assert.deepEqual(server.link.received.at(-1), { type: "read", room: "lobby", seq: 4, id: "c-6" });
    server.link.answer({ type: "ack", room: "lobby" } as ServerMessage);
    await reading;
    server.link.say(said(5));
    assert.deepEqual(eventsOf("gap"), [], "one's own topic stands in the room's order");
  });

  test("typing() sends once per room and 3 seconds, only in joined rooms, and not while offline", async () => {
    await inLobby();
    const sent = () => server.links.flatMap((link) => link.sent("typing"));
    client.typing("Lobby");
    client.typing("lobby");
    client.typing("kitchen");
    assert.deepEqual(sent(), [{ type: "typing", room: "Lobby" }]);
    await elapse(3_000);
    client.typing("lobby");
    assert.equal(sent().length, 2);
    await elapse(3_000);
    server.link.handlers.close(new Error("reset"));
    client.typing("lobby");
    assert.equal(sent().length, 2);
  });

  test("the server's ping is answered with pong", async () => {
    await online();
    server.link.say({ type: "ping" });
    assert.deepEqual(server.link.received.at(-1), { type: "pong" });
  });

  test("an aborted join is followed by leave when its answer arrives late", async () => {
    await online();
    const controller = new AbortController();
    const joining = client.join("lobby", { signal: controller.signal });
    controller.abort(new Error("changed my mind"));
    await assert.rejects(joining, /changed my mind/);
    server.link.answer(joined(3), "join");
    assert.equal(server.link.received.at(-1)?.type, "leave");
    server.link.say(said(4));
    assert.deepEqual(eventsOf("message"), []);
  });

  test("rejects with the signal's reason on abort, of any type", async () => {
    await online();
    const controller = new AbortController();
    const asking = client.rooms({ signal: controller.signal });
    controller.abort("enough");
    await assert.rejects(asking, (reason) => reason === "enough");
  });

  test("one request over queueMax rejects with queue-full, and an answer frees a place", async () => {
    newClient({ queueMax: 2 });
    await inLobby();
    const first = client.chat("lobby", "one");
    const second = client.chat("lobby", "two");
    await assert.rejects(client.chat("lobby", "three"), failsWith("queue-full"));
    assert.equal(server.link.sent("chat").length, 2);
    server.link.say({ type: "ack", id: "c-3", room: "lobby", seq: 4, at: 1 });
    await first;
    const third = client.chat("lobby", "three again");
    await client.close();
    await assert.rejects(second, failsWith("closed"));
    await assert.rejects(third, failsWith("closed"));
  });

  test("a listener that throws does not break the link or the other listeners", async () => {
    await inLobby();
    const thrown: unknown[] = [];
    const mocked = mock.method(globalThis, "queueMicrotask", (callback: () => void) => {
      try {
        callback();
      } catch (error) {
        thrown.push(error);
      }
    });
    const off = client.on(() => {
      throw new Error("the application's bug");
    });
    const later: ChatClientEvent[] = [];
    client.on((event) => later.push(event));
    server.link.say(said(4));
    off();
    server.link.say(said(5));
    mocked.mock.restore();
    assert.equal(thrown.length, 1);
    assert.equal(later.length, 2);
    assert.equal(client.state, "online");
  });
});

describe("ChatClient on rate-limited", () => {
  function refuse(id: string, retryAfterMs = 1_000): void {
    server.link.say({ type: "error", id, code: "rate-limited", message: "Too many messages", retryAfterMs });
  }

  const ids = (type: Request["type"]) => server.link.sent(type).map((request) => request.id);

  test("waits retryAfterMs and resends with the same ids, in order, without an error to the caller", async () => {
    await inLobby();
    const first = client.chat("lobby", "one");
    const second = client.chat("lobby", "two");
    refuse("c-3");
    refuse("c-4");
    const third = client.chat("lobby", "three");
    const leaving = client.leave("lobby");
    await elapse(999);
    assert.deepEqual([ids("chat"), ids("leave")], [["c-3", "c-4"], []]);
    await elapse(1);
    assert.deepEqual(
      server.link.received.slice(-4).map((request) => request.id),
      ["c-3", "c-4", "c-5", "c-6"],
    );
    for (const [index, id] of ["c-3", "c-4", "c-5"].entries()) {
      server.link.say({ type: "ack", id, room: "lobby", seq: 4 + index, at: 1 });
    }
    server.link.say({ type: "ack", id: "c-6", room: "lobby" });
    assert.deepEqual(
      (await Promise.all([first, second, third])).map(({ seq }) => seq),
      [4, 5, 6],
    );
    await leaving;
    assert.deepEqual(eventsOf("error"), []);
  });

  test("waits for the longest retryAfterMs, and sends pings meanwhile", async () => {
    await inLobby();
    client.chat("lobby", "one").catch(() => undefined);
    refuse("c-3", 500);
    refuse("c-3", 12_000);
    refuse("c-3", 100);
    const ping = client.ping();
    server.link.answer({ type: "pong" }, "ping");
    await ping;
    // The time for an answer does not run while nothing can be answered.
    await elapse(11_999);
    assert.equal(client.state, "online");
    assert.deepEqual(ids("chat"), ["c-3"]);
    await elapse(1);
    assert.deepEqual(ids("chat"), ["c-3", "c-3"]);
    await elapse(10_000);
    assert.equal(client.state, "connecting", "sent again, it has to be answered");
  });

  test("rejects after one minute of delays, or at once when retryAfterMs is longer", async () => {
    await inLobby();
    const chat = client.chat("lobby", "one");
    const failed = assert.rejects(
      chat,
      (error: ChatError) => error.code === "rate-limited" && error.retryAfterMs === 9_000,
    );
    for (let i = 0; i < 7; i += 1) {
      refuse("c-3", 9_000);
      await elapse(9_000);
    }
    assert.equal(ids("chat").length, 7);
    await failed;
    const late = client.chat("lobby", "two");
    refuse("c-4", 60_001);
    await assert.rejects(late, failsWith("rate-limited"));
    const next = client.chat("lobby", "three");
    assert.equal(ids("chat").at(-1), "c-5", "nothing waits for the one that failed");
    server.link.answer({ type: "ack", room: "lobby", seq: 4, at: 1 } as ServerMessage, "chat");
    await next;
  });

  test("an abort rejects only its own call", async () => {
    await inLobby();
    const controller = new AbortController();
    const chat = client.chat("lobby", "one", { signal: controller.signal });
    refuse("c-3", 10_500);
    controller.abort(new Error("changed my mind"));
    await assert.rejects(chat, /changed my mind/);
    const ping = assert.rejects(client.ping(), failsWith("timeout"));
    await elapse(10_000);
    await ping;
    assert.deepEqual(ids("chat"), ["c-3"]);
  });

  test("a rejoin is sent before the chats of its room", async () => {
    await inLobby();
    const chat = client.chat("lobby", "one");
    await breakLink();
    server.link.greet({ username: "ada" });
    refuse("c-5");
    server.link.say({ type: "error", id: "c-3", code: "not-joined", message: "Join the room first" });
    await elapse(1_000);
    assert.deepEqual(
      server.link.received.slice(-2).map(({ type, id }) => [type, id]),
      [
        ["join", "c-5"],
        ["chat", "c-3"],
      ],
    );
    server.link.answer(joined(3, { recovered: true }), "join");
    server.link.answer({ type: "ack", room: "lobby", seq: 4, at: 1 } as ServerMessage, "chat");
    assert.equal((await chat).seq, 4);
    assert.deepEqual(eventsOf("dropped"), []);
  });

  test("a broken link ends the pause", async () => {
    await inLobby();
    const chat = client.chat("lobby", "one");
    refuse("c-3", 20_000);
    await breakLink();
    server.link.greet({ username: "ada", rooms: ["lobby"] });
    const next = client.chat("lobby", "two");
    assert.deepEqual(ids("chat"), ["c-3", "c-6"], "sent at once on the new link");
    server.link.answer(joined(3, { recovered: true }), "join");
    server.link.answer({ type: "ack", room: "lobby", seq: 4, at: 1 } as ServerMessage, "chat");
    assert.equal((await next).seq, 4);
    server.link.say({ type: "ack", id: "c-3", room: "lobby", seq: 5, at: 1 });
    await chat;
  });
});

describe("ChatClient on in-doubt", () => {
  const doubt = (id: string): void => {
    server.link.say({ type: "error", id, code: "in-doubt", message: "It may have been stored" });
  };
  const chats = () => server.link.sent("chat").map((request) => request.id);

  test("resends with the same id after a second, up to a minute", async () => {
    await inLobby();
    const chat = client.chat("lobby", "one");
    doubt("c-3");
    await elapse(999);
    assert.deepEqual(chats(), ["c-3"]);
    await elapse(1);
    assert.deepEqual(chats(), ["c-3", "c-3"]);
    server.link.say({ type: "ack", id: "c-3", room: "lobby", seq: 4, at: 1, duplicate: true });
    assert.equal((await chat).seq, 4);
    const failed = assert.rejects(client.chat("lobby", "two"), failsWith("in-doubt"));
    for (let i = 0; i < 61; i += 1) {
      doubt("c-4");
      await elapse(1_000);
    }
    await failed;
    assert.equal(chats().length, 2 + 61);
  });

  test("does not resend what is acknowledged meanwhile", async () => {
    await inLobby();
    const chat = client.chat("lobby", "one");
    doubt("c-3");
    server.link.say({ type: "ack", id: "c-3", room: "lobby", seq: 4, at: 1 });
    assert.equal((await chat).seq, 4);
    await elapse(5_000);
    assert.deepEqual(chats(), ["c-3"]);
  });
});

describe("ChatClient on resync", () => {
  test("rejoins with its last position, and emits what was missed once", async () => {
    await inLobby();
    const chat = client.chat("lobby", "mine");
    server.link.say(said(4), { type: "resync", room: "Lobby" }, said(9, 8));
    server.link.say({ type: "resync", room: "lobby" }, { type: "resync", room: "kitchen" });
    server.link.say({ type: "ack", id: "c-3", room: "lobby", seq: 6, at: 1 });
    assert.equal((await chat).seq, 6);
    assert.deepEqual(
      server.link
        .sent("join")
        .slice(1)
        .map(({ id: _, ...join }) => join),
      [{ type: "join", room: "lobby", after: { epoch: "e1", seq: 4 } }],
    );
    server.link.answer(
      { ...joined(9, { recovered: true }), entries: [said(5), said(6), said(9)] } as ServerMessage,
      "join",
    );
    server.link.say(said(10, 9));
    const [rejoined] = eventsOf("rejoined");
    assert.deepEqual([rejoined?.recovered, rejoined?.missed.map(({ seq }) => seq)], [true, [5, 6, 9]]);
    assert.deepEqual(
      eventsOf("message").map(({ message }) => message.seq),
      [4, 10],
    );
    assert.deepEqual(eventsOf("gap"), []);
  });
});

describe("ChatClient on kicked", () => {
  const kicked = { type: "kicked", room: "Lobby", username: "bob", reason: "spam" } as const;

  test("is out of the room, and emits dropped with the reason", async () => {
    await inLobby();
    server.link.say(kicked, said(4), { ...kicked, room: "kitchen" });
    assert.deepEqual(
      eventsOf("dropped").map(({ room, error }) => [room, error.code, error.message]),
      [["Lobby", "kicked", "bob took you out of the room: spam"]],
    );
    assert.deepEqual(eventsOf("message"), []);
  });

  test("stays in the room that a rejoin on its way enters again", async () => {
    await inLobby();
    server.link.say({ type: "resync", room: "lobby" }, kicked);
    server.link.answer(joined(9, { recovered: true }), "join");
    server.link.say(said(10, 9));
    assert.deepEqual(eventsOf("dropped"), []);
    assert.equal(eventsOf("message").length, 1);
  });
});

describe("ChatClient events of a room", () => {
  test("each message is emitted once and in order, also between own messages", async () => {
    await inLobby();
    const chat = client.chat("lobby", "mine");
    server.link.say(said(3), said(4));
    server.link.answer({ type: "ack", room: "lobby", seq: 5, at: 1 } as ServerMessage);
    server.link.say(said(5), said(6), said(6));
    await chat;
    assert.deepEqual(
      eventsOf("message").map((event) => event.message.seq),
      [4, 6],
    );
    assert.deepEqual(eventsOf("gap"), []);
  });

  test("gap is emitted before the message that follows the gap", async () => {
    await inLobby();
    server.link.say(said(9, 7));
    assert.deepEqual(
      events.slice(-2).map((event) => event.type),
      ["gap", "message"],
    );
    assert.deepEqual(eventsOf("gap"), [{ type: "gap", room: "lobby", after: 3, before: 9 }]);
  });

  test("topic is emitted in the room's order; an unknown key only moves the position", async () => {
    await inLobby();
    const set = (seq: number, key: string): ServerMessage => {
      return { type: "set", room: "lobby", username: "bob", changes: { [key]: "v" }, seq, prev: seq - 1, at: seq };
    };
    server.link.say(set(4, "topic"), set(4, "topic"), set(5, "later"), said(6));
    server.link.say({ type: "typing", room: "lobby", username: "bob" }, { type: "typing", room: "x", username: "bob" });
    assert.deepEqual(eventsOf("topic"), [{ type: "topic", room: "lobby", username: "bob", topic: "v", seq: 4, at: 4 }]);
    assert.deepEqual(eventsOf("gap"), []);
    assert.equal(eventsOf("message").length, 1);
    assert.deepEqual(eventsOf("typing"), [{ type: "typing", room: "lobby", username: "bob" }]);
  });

  test("presence and messages of a left room are not emitted", async () => {
    await inLobby();
    server.link.say({ type: "presence", room: "Lobby", username: "cy", state: "joined" });
    const leaving = client.leave("lobby");
    server.link.say(said(4), { type: "presence", room: "lobby", username: "cy", state: "left" });
    server.link.answer({ type: "ack", room: "lobby" } as ServerMessage);
    await leaving;
    assert.equal(eventsOf("presence").length, 1);
    assert.deepEqual(eventsOf("message"), []);
  });
});

describe("ChatClient when the link breaks", () => {
  test("resumes its session, rejoins after its position and resends unacknowledged chats", async () => {
    await inLobby();
    server.link.say(said(4));
    const first = client.chat("lobby", "one");
    const who = client.who("lobby");
    server.link.handlers.close(new Error("reset"));
    assert.equal(client.state, "connecting");
    const second = client.chat("lobby", "two");
    await assert.rejects(who, failsWith("disconnected"));
    await assert.rejects(client.rooms(), failsWith("disconnected"));
    assert.equal(eventsOf("state").at(-1)?.retryAtMs, 1_000_500);
    await elapse(499);
    assert.equal(server.links.length, 1);
    await elapse(1);
    assert.equal(server.links.length, 2);
    assert.deepEqual(server.link.received, [{ type: "hello", id: "c-6", version: 2, session: "secret-1", attempt: 2 }]);
    server.link.greet({ username: "ada", rooms: ["lobby"] });
    assert.deepEqual(server.link.received.slice(1), [
      { type: "join", id: "c-7", room: "lobby", after: { epoch: "e1", seq: 4 } },
      { type: "chat", id: "c-3", room: "lobby", message: "one" },
      { type: "chat", id: "c-5", room: "lobby", message: "two" },
    ]);
    // Live events before the answer are part of it.
    server.link.say(said(5), said(6));
    assert.equal(eventsOf("message").length, 1);
    server.link.answer(joined(6, { entries: [said(4), said(5), said(6)], recovered: true }), "join");
    const [rejoined] = eventsOf("rejoined");
    assert.deepEqual(rejoined?.missed, [said(5), said(6)]);
    assert.equal(rejoined?.recovered, true);
    server.link.say({ type: "ack", id: "c-3", room: "lobby", seq: 6, at: 1, duplicate: true });
    server.link.say({ type: "ack", id: "c-5", room: "lobby", seq: 7, at: 1 });
    assert.equal((await first).duplicate, true);
    assert.equal((await second).seq, 7);
    server.link.say(said(8));
    assert.equal(eventsOf("message").at(-1)?.message.seq, 8);
    assert.deepEqual(eventsOf("gap"), []);
  });

  test("sends hello without the session after session-unknown, and sends the name again", async () => {
    await inLobby();
    await breakLink();
    server.link.answer({ type: "error", code: "session-unknown", message: "?" } as ServerMessage, "hello");
    assert.deepEqual(server.link.received.at(-1), { type: "hello", id: "c-4", version: 2 });
    server.link.greet({ session: "secret-2" });
    assert.deepEqual(server.link.received.at(-1), {
      type: "join",
      id: "c-5",
      room: "lobby",
      after: { epoch: "e1", seq: 3 },
      username: "ada",
    });
    server.link.answer(
      joined(1, { position: { epoch: "e2", seq: 1 }, entries: [said(1)], recovered: false, reason: "log-changed" }),
      "join",
    );
    assert.deepEqual(eventsOf("rejoined")[0]?.missed, [said(1)]);
    assert.equal(eventsOf("rejoined")[0]?.recovered, false);
    assert.equal(eventsOf("rejoined")[0]?.reason, "log-changed");
    await breakLink(1_000);
    assert.deepEqual(server.link.received, [{ type: "hello", id: "c-6", version: 2, session: "secret-2", attempt: 3 }]);
  });

  test("resends the same text, or rejects it when the new server's frameBytesMax is smaller", async () => {
    await inLobby();
    const short = client.chat("lobby", "short");
    const long = client.chat("lobby", "l".repeat(100));
    const [first, second] = server.link.texts.slice(-2);
    await breakLink();
    server.link.greet({ username: "ada" });
    assert.deepEqual(server.link.texts.slice(-2), [first, second]);
    await breakLink(1_000);
    const tooLong = assert.rejects(long, failsWith("message-too-long"));
    server.link.greet({ username: "ada", frameBytesMax: 100 });
    assert.deepEqual(server.link.texts.slice(-1), [first]);
    await tooLong;
    server.link.answer(joined(3), "join");
    server.link.answer({ type: "ack", room: "lobby", seq: 4, at: 1 } as ServerMessage, "chat");
    assert.equal((await short).seq, 4);
  });

  test("a refused rejoin emits dropped and removes the room", async () => {
    await inLobby();
    await breakLink();
    server.link.greet();
    server.link.answer({ type: "error", code: "name-in-use", message: "taken" } as ServerMessage, "join");
    await settled();
    assert.equal(eventsOf("dropped")[0]?.room, "lobby");
    assert.equal(eventsOf("dropped")[0]?.error.code, "name-in-use");
    await breakLink(1_000);
    server.link.greet();
    assert.deepEqual(server.link.sent("join"), []);
  });

  test("a room left while offline is left on the server too, and its chats reject", async () => {
    await inLobby();
    const chat = client.chat("lobby", "one");
    server.link.handlers.close(undefined);
    await client.leave("lobby");
    await assert.rejects(client.chat("lobby", "two"), failsWith("not-joined"));
    await elapse(500);
    server.link.greet({ username: "ada", rooms: ["lobby"] });
    assert.deepEqual(
      server.link.received.map((request) => request.type),
      ["hello", "leave"],
    );
    await assert.rejects(chat, failsWith("not-joined"));
  });

  test("the delay between attempts doubles, and reconnectNow() skips it", async () => {
    await online();
    server.refusal = new Error("refused");
    server.link.handlers.close(undefined);
    for (const waitMs of [500, 1000, 2000, 4000, 8000, 15_000]) {
      const count = server.links.length;
      await elapse(waitMs - 1);
      assert.equal(server.links.length, count, `nothing before ${waitMs} ms`);
      await elapse(1);
      assert.equal(server.links.length, count + 1, `an attempt after ${waitMs} ms`);
    }
    const count = server.links.length;
    client.reconnectNow();
    client.reconnectNow();
    await settled();
    assert.equal(server.links.length, count + 1);
  });

  test("a connection that lasts backoffMaxMs resets the back-off, a shorter one does not", async () => {
    await online();
    await breakLink(500);
    server.link.greet();
    await breakLink(999);
    assert.equal(server.links.length, 2);
    await elapse(1);
    assert.equal(server.links.length, 3);
    server.link.greet();
    await elapse(15_000);
    await breakLink(500);
    assert.equal(server.links.length, 4);
  });

  test("the link fails with timeout when an answer is late", async () => {
    await inLobby();
    const timedOut = assert.rejects(client.ping(), failsWith("timeout"));
    await elapse(9_999);
    assert.equal(client.state, "online");
    await elapse(1);
    await timedOut;
    assert.equal(client.state, "connecting");
    assert.equal(server.link.isClosed, true);
  });

  test("the link fails when the server's pings stop", async () => {
    await online();
    await elapse(34_999);
    server.link.say({ type: "ping" });
    await elapse(34_999);
    assert.equal(client.state, "online");
    await elapse(1);
    assert.equal(client.state, "connecting");
    assert.match(eventsOf("state").at(-1)?.error?.message ?? "", /silent for 35000 ms/);
  });

  test("an unreadable message ends the link", async () => {
    await online();
    server.link.handlers.message("not JSON");
    assert.equal(client.state, "connecting");
    assert.equal(server.link.isClosed, true);
  });
});

describe("ChatClient with a sessionStore", () => {
  /** A store in memory. Keeps a copy of everything that was saved. */
  class MemoryStore implements SessionStore {
    readonly saved: (StoredSession | undefined)[] = [];

    constructor(session?: StoredSession) {
      if (session !== undefined) this.saved.push(session);
    }

    load(): StoredSession | undefined {
      return this.saved.at(-1);
    }

    save(session: StoredSession | undefined): void {
      this.saved.push(session);
    }
  }

  test("saves the session, then the number of each attempt before it is sent", async () => {
    const store = new MemoryStore();
    newClient({ sessionStore: store });
    await inLobby();
    assert.deepEqual(store.saved, [{ token: "secret-1", attempt: 1 }]);
    server.refusal = new Error("no network");
    await breakLink();
    assert.deepEqual(store.saved.slice(1), [{ token: "secret-1", attempt: 2 }]);
    server.refusal = undefined;
    await elapse(1_000);
    assert.deepEqual(store.saved.slice(2), [{ token: "secret-1", attempt: 3 }]);
    assert.deepEqual(hellos().at(-1), { type: "hello", version: 2, session: "secret-1", attempt: 3 });
  });

  test("a client that starts in the middle of another's attempt sends a greater number", async () => {
    const store = new MemoryStore({ token: "secret-1", attempt: 7 });
    for (let start = 0; start < 3; start += 1) {
      newClient({ sessionStore: store });
      client.connect().catch(() => undefined);
      await settled();
      client.disconnect();
    }
    assert.deepEqual(
      hellos().map((hello) => "attempt" in hello && hello.attempt),
      [8, 9, 10],
    );
  });

  test("resumes the stored session: its name wins, and connect() returns its rooms", async () => {
    newClient({ sessionStore: new MemoryStore({ token: "secret-1", attempt: 4 }), username: "eve" });
    const connecting = client.connect();
    await settled();
    assert.deepEqual(hellos(), [{ type: "hello", version: 2, session: "secret-1", attempt: 5 }]);
    server.link.greet({ username: "ada", rooms: ["lobby", "den"] });
    assert.deepEqual(await connecting, { rooms: ["lobby", "den"] });
    assert.equal(client.username, "ada");
    assert.deepEqual(server.link.sent("leave"), [], "the rooms wait for the application");
    server.link.say(said(4));
    assert.deepEqual(eventsOf("message"), [], "no events of a room that was not joined");

    const joining = client.join("lobby", { history: 20 });
    assert.deepEqual(server.link.sent("join"), [{ type: "join", id: "c-2", room: "lobby", history: 20 }]);
    server.link.answer(joined(4, { entries: [said(4)] }));
    assert.deepEqual((await joining).entries, [said(4)]);
    server.link.say(said(5));
    assert.equal(eventsOf("message").length, 1);
  });

  test("keeps the session's rooms over reconnects until the application joins or leaves them", async () => {
    newClient({ sessionStore: new MemoryStore({ token: "secret-1", attempt: 4 }) });
    const connecting = client.connect();
    await settled();
    const rooms = ["lobby", "den", "attic", "Cellar"];
    server.link.greet({ username: "ada", rooms });
    await connecting;
    const joining = client.join("lobby");
    server.link.answer(joined(3));
    await joining;
    const broken = client.join("den");
    server.link.handlers.close(new Error("reset"));
    await assert.rejects(broken, failsWith("disconnected"));
    await client.leave("cellar");
    await client.leave("lobby");
    await elapse(500);
    server.link.greet({ username: "ada", rooms });
    assert.deepEqual(
      server.link.sent("leave").map((request) => "room" in request && request.room),
      ["lobby", "Cellar"],
    );
    assert.deepEqual(server.link.sent("join"), []);
  });

  test("leaves a room whose join was not answered before the link broke", async () => {
    newClient({ sessionStore: new MemoryStore() });
    await online();
    client.join("lobby").catch(() => undefined);
    await breakLink();
    server.link.greet({ username: "ada", rooms: ["lobby"] });
    assert.equal(server.link.sent("leave").length, 1);
  });

  test("goes on without the session after session-unknown, and clears the store", async () => {
    const store = new MemoryStore({ token: "gone", attempt: 4 });
    newClient({ sessionStore: store });
    const connecting = client.connect();
    await settled();
    server.link.answer({ type: "error", code: "session-unknown", message: "?" } as ServerMessage, "hello");
    assert.deepEqual(store.saved.slice(1), [{ token: "gone", attempt: 5 }, undefined]);
    assert.deepEqual(hellos().at(-1), { type: "hello", version: 2 });
    server.link.greet({ session: "secret-2" });
    assert.deepEqual(await connecting, { rooms: [] });
    assert.deepEqual(store.load(), { token: "secret-2", attempt: 5 });
    const joining = client.join("lobby");
    assert.equal((server.link.sent("join")[0] as { username?: string }).username, "ada");
    server.link.answer(joined(3));
    await joining;
  });

  test("close() sends bye and clears the store, also before the answer to hello", async () => {
    for (const isGreeted of [true, false]) {
      const store = new MemoryStore({ token: "secret-1", attempt: 4 });
      newClient({ sessionStore: store });
      const connecting = client.connect();
      await settled();
      if (isGreeted) server.link.greet({ username: "ada" });
      await client.close();
      if (!isGreeted) await assert.rejects(connecting, failsWith("closed"));
      assert.deepEqual(
        server.link.received.map(({ type }) => type),
        ["hello", "bye"],
      );
      assert.equal(server.link.isClosed, true);
      assert.equal(store.load(), undefined);
    }
  });

  test("close() without a connection clears the store", async () => {
    const store = new MemoryStore();
    newClient({ sessionStore: store });
    await inLobby();
    server.link.handlers.close(new Error("reset"));
    await client.close();
    assert.equal(store.load(), undefined);
    assert.equal(saidBye(), false);
  });

  test("disconnect() closes the link without bye and keeps the store; nothing is saved later", async () => {
    const store = new MemoryStore();
    newClient({ sessionStore: store });
    await inLobby();
    const chat = client.chat("lobby", "one");
    client.disconnect();
    await assert.rejects(chat, failsWith("closed"));
    await client.close();
    assert.equal(client.state, "closed");
    assert.equal(server.link.isClosed, true);
    assert.equal(saidBye(), false);
    assert.deepEqual(store.load(), { token: "secret-1", attempt: 1 });
  });

  test("a bye without reconnect keeps the store: the session may belong to another client", async () => {
    const store = new MemoryStore();
    newClient({ sessionStore: store });
    await inLobby();
    server.link.say({ type: "bye", code: "replaced", message: "Replaced", reconnect: false });
    await client.close();
    assert.deepEqual(store.load(), { token: "secret-1", attempt: 1 });
  });

  test("connect() rejects when the store cannot be read; a failed save does not break the connection", async () => {
    const broken = new Error("denied");
    const load = (): undefined => {
      throw broken;
    };
    newClient({ sessionStore: { load, save: () => undefined } });
    await assert.rejects(client.connect(), broken);
    assert.equal(client.state, "offline");

    const uncaught: unknown[] = [];
    const save = (): void => {
      throw broken;
    };
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.once("uncaughtException", (error) => uncaught.push(error));
    try {
      newClient({ sessionStore: { load: () => undefined, save } });
      await inLobby();
      await settled();
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const listener of before) process.on("uncaughtException", listener);
    }
    assert.deepEqual(uncaught, [broken]);
    assert.equal(client.state, "online");
    client.disconnect();
  });
});

describe("ChatClient with share", () => {
  test("opens another session of the user, and then resumes its own", async () => {
    newClient({ share: "secret-1" });
    const connecting = client.connect();
    await settled();
    assert.deepEqual(server.link.received, [
      { type: "hello", id: "c-1", version: 2, session: "secret-1", share: true },
    ]);
    server.link.greet({ session: "secret-2", username: "ada" });
    assert.deepEqual(await connecting, { rooms: [] });
    const joining = client.join("lobby");
    assert.deepEqual(server.link.sent("join"), [{ type: "join", id: "c-2", room: "lobby" }]);
    server.link.answer(joined(3));
    await joining;
    await breakLink();
    assert.deepEqual(server.link.received, [{ type: "hello", id: "c-3", version: 2, session: "secret-2", attempt: 2 }]);
  });

  test("is tried again when the first attempt fails, and given up when the session is unknown", async () => {
    newClient({ share: "secret-1" });
    server.refusal = new Error("no network");
    await assert.rejects(client.connect(), failsWith("disconnected"));
    server.refusal = undefined;
    const connecting = client.connect();
    await settled();
    assert.equal((server.link.received[0] as { share?: boolean }).share, true);
    server.link.answer({ type: "error", code: "session-unknown", message: "?" } as ServerMessage, "hello");
    assert.deepEqual(hellos().at(-1), { type: "hello", version: 2 });
    server.link.greet({ session: "secret-3" });
    await connecting;
  });

  test("yields to a stored session", async () => {
    const load = () => ({ token: "own", attempt: 1 });
    newClient({ share: "secret-1", sessionStore: { load, save: () => undefined } });
    void client.connect().catch(() => undefined);
    await settled();
    assert.deepEqual(server.link.received, [{ type: "hello", id: "c-1", version: 2, session: "own", attempt: 2 }]);
  });
});

describe("ChatClient on bye", () => {
  test("reconnects after afterMs at the earliest", async () => {
    await inLobby();
    server.link.say({ type: "bye", code: "shutdown", message: "Restarting", reconnect: true, afterMs: 3_000 });
    assert.equal(server.link.isClosed, true);
    assert.equal(eventsOf("bye")[0]?.code, "shutdown");
    await elapse(2_999);
    assert.equal(server.links.length, 1);
    await elapse(1);
    assert.equal(server.links.length, 2);
  });

  test("does not reconnect at once when afterMs is longer than a timer can wait", async () => {
    await inLobby();
    server.link.say({ type: "bye", code: "shutdown", message: "Restarting", reconnect: true, afterMs: 1e12 });
    await elapse(60_000);
    assert.equal(server.links.length, 1);
  });

  test("without reconnect closes the client; pending and later calls reject with bye", async () => {
    await inLobby();
    const chat = client.chat("lobby", "one");
    server.link.say({ type: "bye", code: "replaced", message: "Replaced", reconnect: false });
    await assert.rejects(chat, failsWith("bye"));
    assert.equal(client.state, "closed");
    await assert.rejects(client.chat("lobby", "two"), failsWith("bye"));
    await elapse(60_000);
    assert.equal(server.links.length, 1);
  });

  test("before the answer to hello rejects connect()", async () => {
    const connecting = client.connect();
    await settled();
    server.link.say({ type: "bye", code: "slow-consumer", message: "Full", reconnect: true, afterMs: 1_000 });
    await assert.rejects(connecting, failsWith("bye"));
    assert.equal(client.state, "offline");
    await elapse(60_000);
    assert.equal(server.links.length, 1);
  });
});

describe("ChatClient.close()", () => {
  test("closes the link, rejects pending calls and leaves no timer", async () => {
    await inLobby();
    const chat = client.chat("lobby", "one");
    const who = client.who("lobby");
    await client.close();
    await client.close();
    await assert.rejects(chat, failsWith("closed"));
    await assert.rejects(who, failsWith("closed"));
    await assert.rejects(client.connect(), failsWith("closed"));
    await assert.rejects(client.ping(), failsWith("closed"));
    assert.equal(server.link.isClosed, true);
    assert.equal(client.state, "closed");
    await elapse(60_000);
    assert.equal(server.links.length, 1);
    assert.equal(eventsOf("state").filter((event) => event.state === "closed").length, 1);
  });

  test("resolves when the server has ended the link after bye, after 1 second at the latest", async () => {
    server.answersBye = false;
    for (const isAnswered of [true, false]) {
      newClient();
      await inLobby();
      const chat = client.chat("lobby", "the last");
      let isClosed = false;
      const closing = client.close().then(() => {
        isClosed = true;
      });
      assert.equal(client.state, "closed");
      await assert.rejects(chat, failsWith("closed"));
      assert.deepEqual(server.link.received.slice(-2), [
        { type: "chat", id: "c-3", room: "lobby", message: "the last" },
        { type: "bye" },
      ]);
      server.link.say(said(4), { type: "ping" }, { type: "bye", code: "shutdown", message: "", reconnect: true });
      server.link.handlers.message("no JSON");
      await elapse(999);
      assert.deepEqual([isClosed, server.link.isClosed], [false, false], "it waits for the server");
      if (isAnswered) server.link.handlers.close(undefined);
      else await elapse(1);
      await closing;
      assert.equal(server.link.isClosed, true);
      assert.deepEqual([eventsOf("message"), eventsOf("bye"), eventsOf("state").at(-1)?.state], [[], [], "closed"]);
      await elapse(60_000);
    }
    assert.equal(server.links.length, 2);
  });

  test("rejects a running connect(), and closes a link that opens late", async () => {
    const opening = Promise.withResolvers<void>();
    const closed: string[] = [];
    client = new ChatClient(async (_handlers, signal) => {
      await opening.promise;
      return { send: () => closed.push("sent"), close: () => closed.push(`closed, aborted: ${signal.aborted}`) };
    });
    const connecting = client.connect();
    await client.close();
    await assert.rejects(connecting, failsWith("closed"));
    opening.resolve();
    await settled();
    assert.deepEqual(closed, ["closed, aborted: true"]);
  });

  test("cancels a scheduled attempt", async () => {
    await inLobby();
    server.link.handlers.close(undefined);
    const queued = client.chat("lobby", "one");
    await client.close();
    await assert.rejects(queued, failsWith("closed"));
    await elapse(60_000);
    assert.equal(server.links.length, 1);
  });

  test("is called by await using", async () => {
    {
      await using own = client;
      await online();
      assert.equal(own.state, "online");
    }
    assert.equal(client.state, "closed");
  });
});

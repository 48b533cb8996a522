import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import type { EntryMessage, JoinedMessage, Request } from "@landline/protocol";
import { HELLO_LIMITS } from "../../../test/hello-limits.ts";
import { fc } from "../../../test/seed.ts";
import { idle } from "../../../test/until.ts";
import { ChatError } from "./chat-error.ts";
import { ChatClient } from "./client.ts";
import type { ChatClientEvent } from "./events.ts";
import type { LinkHandlers, OpenLink } from "./link.ts";

interface Message {
  readonly type: string;
  readonly [field: string]: unknown;
}

const CHAT: Message = { type: "chat", username: "bob", room: "lobby", message: "hi", seq: 8, prev: 7, at: 5 };
const SET: Message = { type: "set", room: "lobby", username: "bob", changes: { topic: "x" }, seq: 9, prev: 8, at: 6 };
const JOINED: Message = {
  type: "joined",
  room: "lobby",
  position: { epoch: "e", seq: 7 },
  members: ["ada", "bob"],
  count: 2,
  entries: [CHAT, SET],
};
const PAGE = { room: "lobby", entries: [CHAT, SET], more: false };
const ACK: Message = { type: "ack", room: "lobby", seq: 8, at: 5 };

/** A good answer for each request. */
const ANSWERS: Readonly<Record<Exclude<Request["type"], "typing" | "bye" | "pong">, Message>> = {
  hello: { type: "hello", version: 2, session: "s", limits: HELLO_LIMITS },
  join: JOINED,
  chat: ACK,
  leave: ACK,
  who: { type: "who", room: "lobby", members: ["ada"], count: 1 },
  users: { type: "users", room: "lobby", users: ["ada"], more: false },
  rooms: { type: "rooms", rooms: [{ room: "lobby", count: 1 }] },
  history: { type: "history", ...PAGE },
  search: { type: "search", ...PAGE },
  topic: { type: "topic", room: "lobby", topic: "x" },
  read: ACK,
  ping: { type: "pong" },
};

const MESSAGES: readonly Message[] = [
  ...Object.values(ANSWERS),
  CHAT,
  SET,
  { type: "welcome", message: "hi" },
  { type: "notification", message: "hi" },
  { type: "presence", room: "lobby", username: "bob", state: "left" },
  { type: "typing", room: "lobby", username: "bob" },
  { type: "read", room: "lobby", seq: 7 },
  { type: "error", code: "busy", message: "x" },
  { type: "error", code: "rate-limited", message: "x" },
  { type: "error", code: "session-unknown", message: "x" },
  { type: "ping" },
  { type: "bye", code: "shutdown", message: "x", reconnect: true },
  { type: "bye", code: "replaced", message: "x", reconnect: false },
];

/** What a hostile server does when a request comes. */
type Move = (request: { readonly id?: string }) => string | undefined;

const value = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(null, -1, 0.5, 1e300, 2 ** 53 - 1, "", "lobby", [], {}, [null], [1], [[]], [{}]),
);
const names = [...new Set(MESSAGES.flatMap((message) => Object.keys(message)))].filter((name) => name !== "type");
const message = fc
  .record({
    message: fc.constantFrom(...MESSAGES),
    changed: fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 2 }),
    dropped: fc.subarray(names, { maxLength: 1 }),
    nested: fc.dictionary(fc.constantFrom("epoch", "seq", "pingMs", "username", "type", "at", "room"), value, {
      maxKeys: 1,
    }),
    isAnswer: fc.boolean(),
  })
  .map(({ message, changed, dropped, nested, isAnswer }): Move => {
    const inner = (field: unknown): unknown => {
      if (Array.isArray(field)) return field.map(inner);
      return typeof field === "object" && field !== null ? { ...field, ...nested } : field;
    };
    const fields = Object.entries({ ...message, ...changed }).filter(([name]) => !dropped.includes(name));
    const whole = Object.fromEntries(fields.map(([name, field]) => [name, inner(field)]));
    return ({ id }) => JSON.stringify(isAnswer ? { ...whole, id } : whole);
  });
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 8, arbitrary: message },
  { weight: 1, arbitrary: fc.constant<Move>((request) => JSON.stringify(request)) },
  {
    weight: 1,
    arbitrary: fc.oneof(fc.string(), fc.json()).map(
      (text): Move =>
        () =>
          text,
    ),
  },
  { weight: 1, arbitrary: fc.constant<Move>(() => undefined) },
);
/** An honest answer, or hostile messages before which the honest answer may come. */
const turn = fc.record({ isHonest: fc.boolean(), moves: fc.array(move, { maxLength: 3 }) });
type Turn = { readonly isHonest: boolean; readonly moves: readonly Move[] };

/** Answers request after request as the script says, and honestly when the script is over. */
class HostileServer {
  readonly #script: Iterator<Turn>;
  links = 0;
  requests = 0;

  constructor(script: readonly Turn[]) {
    this.#script = script[Symbol.iterator]();
  }

  readonly open: OpenLink = async (handlers) => {
    this.links += 1;
    return {
      send: (text) => queueMicrotask(() => this.#answer(JSON.parse(text), handlers)),
      close: () => undefined,
    };
  };

  #answer(request: Request, handlers: LinkHandlers): void {
    this.requests += 1;
    const { isHonest, moves }: Turn = this.#script.next().value ?? { isHonest: true, moves: [] };
    if (isHonest && request.type in ANSWERS) {
      const answer = ANSWERS[request.type as keyof typeof ANSWERS];
      const isSetTopic = request.type === "topic" && request.topic !== undefined;
      handlers.message(JSON.stringify({ ...(isSetTopic ? ACK : answer), id: request.id }));
    }
    if (isHonest && request.type === "bye") handlers.close(undefined);
    for (const each of moves) {
      const text = each(request);
      if (text !== undefined) handlers.message(text);
    }
  }
}

function checkEntry(entry: EntryMessage): void {
  const { at, ...rest } = entry;
  assert.ok(at === undefined || new Date(at).toISOString() !== "");
  for (const field of [rest.room, rest.username]) assert.equal(typeof field, "string");
  if (rest.type === "chat") assert.equal(typeof rest.message, "string");
  else for (const value of Object.values(rest.changes)) assert.equal(typeof value, "string");
}

function checkTexts(...texts: readonly unknown[]): void {
  for (const text of texts) assert.equal(typeof text, "string");
}

function checkJoined({ room, members, count, entries, position, topic }: JoinedMessage): void {
  checkTexts(room, position.epoch, topic ?? "", ...members);
  assert.ok(Number.isSafeInteger(count) && Number.isSafeInteger(position.seq));
  entries.forEach(checkEntry);
}

function checkEvent(event: ChatClientEvent): void {
  switch (event.type) {
    case "message":
      checkEntry(event.message);
      return;
    case "topic":
      checkTexts(event.room, event.username, event.topic, new Date(event.at).toISOString());
      return;
    case "presence":
      checkTexts(event.room, event.username);
      assert.ok(event.state === "joined" || event.state === "left");
      return;
    case "typing":
      checkTexts(event.room, event.username);
      return;
    case "read":
      checkTexts(event.room);
      assert.ok(event.seq >= 0);
      return;
    case "rejoined":
      checkJoined(event.joined);
      event.missed.forEach(checkEntry);
      assert.equal(typeof event.recovered, "boolean");
      return;
    case "gap":
      checkTexts(event.room);
      assert.ok(Number.isSafeInteger(event.after) && Number.isSafeInteger(event.before));
      return;
    case "bye":
      checkTexts(event.code, event.message);
      assert.equal(typeof event.reconnect, "boolean");
      return;
    case "dropped":
    case "error":
      assert.ok(event.error instanceof ChatError);
      checkTexts(event.error.code, event.error.message);
      return;
    case "state":
      if (event.retryAtMs !== undefined) checkTexts(new Date(event.retryAtMs).toISOString());
      if (event.error !== undefined) assert.ok(event.error instanceof ChatError);
      return;
    default:
      event satisfies never;
  }
}

/** A chat waits for the next connection, so it may be pending for as long as the client is open. */
function sayHi(client: ChatClient): Promise<void> {
  return client
    .chat("lobby", "hi")
    .then(({ type }) => assert.equal(type, "ack"))
    .catch(onlyChatError);
}

/** Calls each other method of the client. What they return is checked; what they throw must be a ChatError. */
function callAll(client: ChatClient): readonly Promise<void>[] {
  const calls: readonly Promise<void>[] = [
    client.join("lobby", { history: 5 }).then(checkJoined),
    client.who("lobby").then(({ members }) => checkTexts(...members)),
    client.users("lobby", "a").then(({ users }) => checkTexts(...users)),
    client.rooms().then(({ rooms }) => checkTexts(...rooms.map(({ room }) => room))),
    client.history("lobby").then(({ entries }) => entries.forEach(checkEntry)),
    client.search("lobby", "hi").then(({ entries }) => entries.forEach(checkEntry)),
    client.topic("lobby").then((topic) => checkTexts(topic)),
    client.setTopic("lobby", "x").then(({ type }) => assert.equal(type, "ack")),
    client.markRead("lobby", 1),
    client.ping().then((ms) => assert.ok(ms >= 0)),
    client.leave("kitchen"),
  ];
  return calls.map((call) => call.catch(onlyChatError));
}

/** Fails with the message unless all calls are settled by now. */
async function allSettledNow(message: string, calls: readonly Promise<unknown>[]): Promise<void> {
  let settled = 0;
  for (const call of calls) {
    const count = () => {
      settled += 1;
    };
    call.then(count, count);
  }
  await idle();
  assert.equal(settled, calls.length, message);
  await Promise.all(calls);
}

function onlyChatError(error: unknown): void {
  if (!(error instanceof ChatError)) throw error;
}

describe("ChatClient with a hostile server", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 }));
  afterEach(() => mock.timers.reset());

  async function elapse(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second += 1) {
      mock.timers.tick(1_000);
      await idle();
    }
  }

  test("settles every call, throws only ChatError, emits only well-formed events and retries with back-off", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { maxLength: 24 }), async (script) => {
        const server = new HostileServer(script);
        const client = new ChatClient(server.open, { username: "ada", idPrefix: "c", ackTimeoutMs: 2_000 });
        const wrong: unknown[] = [];
        client.on((event) => {
          try {
            checkEvent(event);
          } catch (error) {
            wrong.push(error);
          }
        });
        const calls: Promise<unknown>[] = [];
        const chats: Promise<void>[] = [];
        const connect = () => {
          if (client.state === "offline") calls.push(client.connect().catch(onlyChatError));
        };
        connect();
        await elapse(3);
        connect();
        await elapse(1);
        calls.push(...callAll(client));
        chats.push(sayHi(client));
        await elapse(30);
        calls.push(...callAll(client));
        chats.push(sayHi(client));
        await elapse(70);
        await allSettledNow("every call but chat() settles", calls);
        const closing = client.close();
        await elapse(1);
        await allSettledNow("close() settles within a second", [closing]);
        await allSettledNow("close() settles chat()", chats);
        assert.deepEqual(wrong, []);
        assert.ok(server.links <= 20, `${server.links} links in 104 seconds`);
        assert.ok(server.requests <= 400, `${server.requests} requests in 104 seconds`);
      }),
      { numRuns: 150 },
    );
  });

  for (const [name, answer] of [
    ["members is a number", { ...JOINED, members: 5 }],
    ["entries is null", { ...JOINED, entries: null }],
    ["position is missing", { ...JOINED, position: undefined }],
    ["the message answers another request", ANSWERS.who],
  ] as const) {
    test(`join() rejects with protocol-error and the client reconnects when ${name}`, async () => {
      const server = new HostileServer([
        { isHonest: true, moves: [] },
        { isHonest: false, moves: [({ id }) => JSON.stringify({ ...answer, id })] },
      ]);
      await using client = new ChatClient(server.open, { username: "ada" });
      await client.connect();
      await assert.rejects(client.join("lobby"), { name: "ChatError", code: "protocol-error" });
      assert.deepEqual([client.state, server.links], ["connecting", 1]);
      await elapse(1);
      assert.deepEqual([client.state, server.links], ["online", 2]);
      await client.join("lobby");
    });
  }

  test("connect() rejects with not-a-chat-server when hello has no usable limits", async () => {
    for (const limits of [
      undefined,
      null,
      {},
      { ...HELLO_LIMITS, pingMs: "x" },
      { ...HELLO_LIMITS, frameBytesMax: -1 },
    ]) {
      const moves: readonly Move[] = [({ id }) => JSON.stringify({ ...ANSWERS.hello, id, limits })];
      const server = new HostileServer([{ isHonest: false, moves }]);
      await using client = new ChatClient(server.open);
      await assert.rejects(client.connect(), { name: "ChatError", code: "not-a-chat-server" });
    }
  });

  test("a request is sent again after 1 second when rate-limited names no time", async () => {
    const refusal: Move = ({ id }) => JSON.stringify({ type: "error", id, code: "rate-limited", message: "x" });
    const server = new HostileServer([
      { isHonest: true, moves: [] },
      { isHonest: false, moves: [refusal] },
    ]);
    await using client = new ChatClient(server.open);
    await client.connect();
    const who = client.who("lobby");
    await idle();
    mock.timers.tick(999);
    await idle();
    assert.equal(server.requests, 2);
    mock.timers.tick(1);
    await who;
    assert.equal(server.requests, 3);
  });
});

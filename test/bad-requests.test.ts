/**
 * Invalid requests over each transport and in both versions. Each gets an error code or a goodbye, the connection
 * continues or ends as documented, and other clients receive nothing. `bad-input.test.ts` tests random bytes.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ChatClient, type OpenLink, websocketLink } from "@landline/client";
import { tcpLink } from "@landline/client/tcp";
import { BYE_CODES, ERROR_CODES } from "@landline/protocol";
import { TestServer } from "./chat-server.ts";
import type { Message } from "./hub-fixture.ts";
import { failOnLeaks } from "./leaks.ts";
import type { RawClient } from "./raw-client.ts";
import { fc } from "./seed.ts";
import { TRANSPORTS, type Wire } from "./wires.ts";

failOnLeaks("file");

const LONG = process.env.LANDLINE_LONG === "1";
const FRAME_BYTES_MAX = 65_536;

const LINKS: Readonly<Record<string, (port: number) => OpenLink>> = {
  TCP: (port) => tcpLink({ host: "127.0.0.1", port }),
  WebSocket: (port) => websocketLink(`ws://127.0.0.1:${port}/ws`),
};

const TYPES = ["hello", "join", "chat", "leave", "who", "rooms", "history", "search", "topic", "typing", "read"];
const FIELDS = [
  ...["type", "id", "room", "username", "message", "version", "after", "before", "limit", "history", "session"],
  ...["attempt", "seq", "epoch", "query", "topic", "__proto__", "constructor", "toString"],
];
/** Includes NUL and lone surrogates. */
const unit = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  fc.nat(0xffff).map((code) => String.fromCharCode(code)),
);
const text = fc.oneof(
  fc.string({ unit, maxLength: 300 }),
  fc.constantFrom(
    "",
    "lobby",
    "kitchen",
    "__proto__",
    "\0",
    "\ud800",
    "a\udfffb",
    "\r\n",
    "NEAR(",
    '"',
    "*",
    "é\u0301",
  ),
);
const number = fc.oneof(fc.nat(5), fc.constantFrom(-1, 0.5, -0, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e300, 2));
const value = fc.oneof(
  { weight: 4, arbitrary: text },
  { weight: 3, arbitrary: number },
  { weight: 1, arbitrary: fc.jsonValue() },
  { weight: 1, arbitrary: fc.record({ epoch: text, seq: number }, { requiredKeys: [] }) },
);
/** Any JSON value, or nearly a request. */
const request = fc.oneof(
  { weight: 1, arbitrary: fc.jsonValue().map((each) => JSON.stringify(each)) },
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.constantFrom(...TYPES), fc.dictionary(fc.constantFrom(...FIELDS), value, { maxKeys: 6 }), fc.boolean())
      .map(([type, fields, isTyped]) => JSON.stringify(isTyped ? { ...fields, type } : fields)),
  },
);

function parameters(runs: number): { numRuns: number } {
  return { numRuns: LONG ? 50 * runs : runs };
}

/** The outcome of a text: an error code, after which the connection continues, or the code of the goodbye that ends it. */
type Outcome = "served" | "invalid-json" | "invalid-request" | "frame-too-long";

/** Unusual texts. `framed` and `lines`: the outcome on a framed transport, and on a plain stream of JSON. */
const TEXTS: readonly (readonly [name: string, text: string, framed: Outcome, lines: Outcome])[] = [
  ["an array a million deep", "[".repeat(1_000_000), "frame-too-long", "invalid-json"],
  ["an object with arrays a million deep", `{"a":${"[".repeat(1_000_000)}`, "frame-too-long", "invalid-json"],
  ["arrays as deep as a frame is long", "[".repeat(30_000) + "]".repeat(30_000), "invalid-request", "invalid-json"],
  ["a message of 10 MB", `{"type":"chat","message":"${"x".repeat(10_000_000)}"}`, "frame-too-long", "frame-too-long"],
  ["10 MB that are not JSON", "x".repeat(10_000_000), "frame-too-long", "invalid-json"],
  ["NUL", "\0", "invalid-json", "invalid-json"],
  ["NUL in a string", '{"type":"pi\0ng"}', "invalid-json", "invalid-json"],
  ["an escaped NUL", '{"type":"pi\\u0000ng"}', "served", "served"],
  ["a field __proto__", '{"__proto__":{"type":"ping"}}', "invalid-request", "invalid-request"],
  ["a room in __proto__", '{"type":"who","__proto__":{"room":"lobby"}}', "invalid-request", "invalid-request"],
  [
    "a number above the range of a double",
    '{"type":"history","room":"lobby","limit":1e999}',
    "invalid-request",
    "invalid-request",
  ],
  ["an empty text", "", "invalid-json", "served"],
];

describe("bad requests", { timeout: 300_000 }, () => {
  let folder: string;
  let server: TestServer;
  let author: RawClient;
  let reader: RawClient;
  let said = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "landline-bad-"));
    server = await TestServer.start({ data: folder, durability: "process", sniffMs: 5, limits: { pingMs: 1_000_000 } });
    author = await server.member("Author", "talk");
    reader = await server.member("Reader", "talk");
    await author.nextWith("username", "Reader");
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  /** Checks that two other clients receive each other's messages and nothing else. */
  async function assertTalk(): Promise<void> {
    said += 1;
    author.send({ type: "chat", id: `${said}`, message: `message ${said}` });
    const [ack, heard] = await Promise.all([author.next(), reader.next()]);
    assert.deepEqual([ack.type, ack.seq], ["ack", said + 1]);
    assert.deepEqual([heard.type, heard.message, heard.seq], ["chat", `message ${said}`, said + 1]);
  }

  let connections = 0;
  /** Connects and joins a room: after a hello in version 2, directly in version 1. */
  async function open(transport: string, version: number): Promise<Wire> {
    const wire = await (TRANSPORTS[transport] as (port: number) => Promise<Wire>)(server.port);
    connections += 1;
    const username = `guest${connections}`;
    if (version === 2) await wire.send(JSON.stringify({ type: "hello", version, username }));
    await wire.send(JSON.stringify({ type: "join", room: "lobby", username }));
    const first = await wire.next();
    assert.equal(first?.type, "welcome");
    await answersTo(wire);
    return wire;
  }

  let marks = 0;
  /** Returns all messages up to the answer to a ping. Ends with `undefined` if the connection ends first. */
  async function answersTo(wire: Wire): Promise<readonly (Message | undefined)[]> {
    marks += 1;
    const mark = `mark ${marks}`;
    await wire.send(JSON.stringify({ type: "ping", id: mark }));
    const answers: (Message | undefined)[] = [];
    for (;;) {
      const message = await wire.next();
      if (message?.type === "pong" && message.id === mark) return answers;
      answers.push(message);
      if (message === undefined) return answers;
    }
  }

  for (const transport of Object.keys(TRANSPORTS)) {
    for (const version of [1, 2]) {
      test(`any JSON over ${transport}, version ${version}, gets a known code and no internal error`, async () => {
        const property = fc.asyncProperty(fc.array(request, { maxLength: 20 }), async (texts) => {
          const wire = await open(transport, version);
          try {
            for (const each of texts) await wire.send(each);
            const answers = await answersTo(wire);
            for (const answer of answers) {
              assert.ok(answer !== undefined, "the connection has ended");
              assert.notEqual(answer.type, "bye");
              if (answer.type !== "error") continue;
              const { code, message } = answer;
              const isSeeds = message === "Invalid JSON" || message === "Room and username required";
              assert.ok(ERROR_CODES.some((known) => known === code) || isSeeds, JSON.stringify(answer));
              assert.notEqual(code, "internal");
            }
          } finally {
            await wire.close();
          }
        });
        await fc.assert(property, parameters(60));
        await assertTalk();
      });

      for (const [name, bad, framed, lines] of TEXTS) {
        const outcome = transport === "TCP, back to back" ? lines : framed;
        test(`${name} over ${transport}, version ${version}: ${outcome}`, { timeout: 300_000 }, async () => {
          const wire = await open(transport, version);
          await wire.send(bad);
          const answers = await answersTo(wire);
          const isEnded = answers.at(-1) === undefined && answers.length > 0;
          assert.equal(isEnded, Object.hasOwn(BYE_CODES, outcome));
          const errors = answers.filter((answer) => answer?.type === "error" || answer?.type === "bye");
          // A text without JSON may cause several errors: the decoder resynchronises at each possible start of an object.
          assert.ok(outcome === "served" || errors.length > 0, "no error was reported");
          for (const error of errors) {
            const code = error?.code ?? (error?.message === "Invalid JSON" ? "invalid-json" : undefined);
            assert.equal(code, outcome === "served" ? "unknown-type" : outcome);
          }
          await wire.close();
          await assertTalk();
        });
      }
    }
  }

  test("any text is delivered and stored unchanged, except that lone surrogates are replaced", async () => {
    const ada = await server.member("Ada", "texts");
    const bob = await server.member("Bob", "texts");
    await ada.nextWith("username", "Bob");
    const property = fc.asyncProperty(fc.string({ unit, maxLength: 1_000 }), async (message) => {
      ada.send({ type: "chat", room: "texts", message });
      const { seq } = await ada.next();
      const heard = await bob.next();
      bob.send({ type: "history", room: "texts", after: (seq as number) - 1 });
      const { entries } = await bob.next();
      assert.deepEqual([heard.message, entries], [message.toWellFormed(), [heard]]);
    });
    await fc.assert(property, parameters(200));
    await ada.close();
    await bob.close();
  });

  test("an id of any value is returned unchanged or refused", async () => {
    const cy = await server.member("Cy", "texts");
    const property = fc.asyncProperty(fc.string({ unit, minLength: 1, maxLength: 64 }), async (id) => {
      cy.send({ type: "chat", id, room: "texts", message: id });
      const answer = await cy.next();
      if (answer.code !== "invalid-request") assert.equal(answer.id, id, JSON.stringify(answer));
    });
    await fc.assert(property, parameters(200));
    await cy.close();
  });

  for (const [name, link] of Object.entries(LINKS)) {
    test(`ChatClient over ${name} rejects a message longer than a frame and stays connected`, async () => {
      await using client = new ChatClient(link(server.port), { username: "Verbose", backoffMinMs: 1 });
      await client.connect();
      await client.join("texts");
      const states: string[] = [];
      const { promise: isLost, reject: lose } = Promise.withResolvers<never>();
      client.on((event) => {
        if (event.type !== "state") return;
        states.push(event.state);
        lose(event.error ?? new Error("the connection was lost"));
      });
      const isRefused = assert.rejects(client.chat("texts", "x".repeat(FRAME_BYTES_MAX)), { code: "message-too-long" });
      await Promise.race([isRefused, isLost]);
      assert.equal((await client.chat("texts", "short")).type, "ack");
      assert.deepEqual(states, []);
    });
  }
});

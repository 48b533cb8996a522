/**
 * Checks docs/protocol.md: replays its examples as one conversation with a server over TCP.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock, test } from "node:test";
import { BYE_CODES, ERROR_CODES, REQUESTS, type ServerMessage } from "@landline/protocol";
import { TestServer } from "./chat-server.ts";
import type { Message } from "./hub-fixture.ts";
import { failOnLeaks } from "./leaks.ts";
import type { RawClient } from "./raw-client.ts";

failOnLeaks();

const TEXT = readFileSync(new URL("../docs/protocol.md", import.meta.url), "utf8");

/** Fails to compile if a message is missing. */
const MESSAGES: Readonly<Record<ServerMessage["type"], true>> = {
  welcome: true,
  notification: true,
  chat: true,
  set: true,
  error: true,
  hello: true,
  joined: true,
  ack: true,
  who: true,
  users: true,
  rooms: true,
  history: true,
  search: true,
  topic: true,
  typing: true,
  read: true,
  presence: true,
  ping: true,
  pong: true,
  bye: true,
  resync: true,
  kicked: true,
};

/** Fields whose numbers differ in each run. */
const TIMES: ReadonlySet<string> = new Set(["at", "afterMs", "retryAfterMs"]);

/** A line of an example. */
type Line =
  | { readonly kind: "says" | "hears"; readonly who: string; readonly text: string }
  | { readonly kind: "ended"; readonly who: string }
  | { readonly kind: "later"; readonly seconds: number }
  | { readonly kind: "stopped" };

const LINES = [...TEXT.matchAll(/^```text\n([^`]*)^```/gm)].flatMap(([, block = ""]) => {
  return block.trimEnd().split("\n").map(readLine);
});

function readLine(line: string): Line {
  const [, who = "", sign, text = ""] = /^(\w+) ([→←✕]) ?(.*)$/.exec(line) ?? [];
  if (sign === "✕") return { kind: "ended", who };
  if (sign !== undefined) return { kind: sign === "→" ? "says" : "hears", who, text };
  if (line === "(the server is stopped)") return { kind: "stopped" };
  const [, seconds] = /^\((\d+) s later\)$/.exec(line) ?? [];
  assert.ok(seconds !== undefined, `Cannot read the example: ${line}`);
  return { kind: "later", seconds: Number(seconds) };
}

/** The clients of the examples, and the values of their placeholders. */
class Conversation {
  readonly #server: TestServer;
  readonly #clients = new Map<string, RawClient>();
  readonly #meanings = new Map<string, string>();
  #stopped: Promise<void> = Promise.resolve();

  constructor(server: TestServer) {
    this.#server = server;
  }

  async replay(line: Line): Promise<void> {
    switch (line.kind) {
      case "says": {
        const text = line.text.replace(/"(\w+…)"/g, (_, placeholder) => JSON.stringify(this.#meaning(placeholder)));
        (await this.#client(line.who)).send(`${text}\n`);
        return;
      }
      case "hears": {
        const expected = JSON.parse(line.text.replace(/\{…\}|\[…\]/g, '"…"')) as Message;
        const actual = await this.#next(line.who, expected.type);
        assert.deepEqual(this.#likened(actual, expected), expected, `${line.who} ← ${JSON.stringify(actual)}`);
        return;
      }
      case "ended": {
        const client = await this.#client(line.who);
        assert.deepEqual(await client.rest(), []);
        client.finish();
        return;
      }
      case "later": {
        // An integer, so that the difference of two times is exact.
        const now = Math.ceil(performance.now()) + line.seconds * 1_000;
        mock.method(performance, "now", () => now);
        return;
      }
      case "stopped":
        this.#stopped = this.#server.close();
    }
  }

  /** Destroys the connections, which ends all pending waits. */
  cutOff(): void {
    for (const { socket } of this.#clients.values()) socket.destroy();
  }

  async end(): Promise<void> {
    for (const client of this.#clients.values()) client.finish();
    await this.#stopped;
  }

  /** The next message. Skips welcomes and pings, which the examples leave out. */
  async #next(who: string, type: string): Promise<Message> {
    for (;;) {
      const message = await (await this.#client(who)).next();
      if (message.type === type || (message.type !== "welcome" && message.type !== "ping")) return message;
    }
  }

  async #client(who: string): Promise<RawClient> {
    const client = this.#clients.get(who) ?? (await this.#server.connect());
    this.#clients.set(who, client);
    return client;
  }

  /** The received value. Parts that differ in each run are replaced by the example's. */
  #likened(actual: unknown, expected: unknown, name = ""): unknown {
    if (expected === "…") return expected;
    if (TIMES.has(name) && typeof actual === "number") return expected;
    if (typeof expected === "string" && expected.endsWith("…") && typeof actual === "string") {
      if (!this.#meanings.has(expected)) this.#meanings.set(expected, actual);
      return this.#meaning(expected) === actual ? expected : actual;
    }
    if (Array.isArray(actual) && Array.isArray(expected)) {
      return actual.map((each, index) => this.#likened(each, expected[index]));
    }
    if (!isObject(actual) || !isObject(expected)) return actual;
    return Object.fromEntries(
      Object.entries(actual).map(([key, value]) => [key, this.#likened(value, expected[key], key)]),
    );
  }

  #meaning(placeholder: string): string {
    const meaning = this.#meanings.get(placeholder);
    assert.ok(meaning !== undefined, `${placeholder} has no value yet`);
    return meaning;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Replays all examples with a server that stores its rooms in this folder, or in memory. */
async function replayAll(data: string | undefined): Promise<void> {
  await using server = await TestServer.start({ rates: "on", data });
  const conversation = new Conversation(server);
  const timer = setTimeout(() => conversation.cutOff(), 120_000);
  try {
    for (const line of LINES) {
      await conversation.replay(line).catch((cause) => {
        throw new Error(`The example is wrong at ${JSON.stringify(line)}`, { cause });
      });
    }
    await conversation.end();
  } finally {
    clearTimeout(timer);
    mock.restoreAll();
  }
}

test("the examples in docs/protocol.md match the server", { timeout: 300_000 }, () => replayAll(undefined));

test("the examples in docs/protocol.md match a server with a log on disk", { timeout: 300_000 }, async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "landline-doc-"));
  await replayAll(folder.path);
});

test("docs/protocol.md has an example of every message", () => {
  const typesOf = (kind: "says" | "hears") => {
    const texts = LINES.map((line) => (line.kind === kind ? line.text : ""));
    return new Set(texts.map((text) => /"type":"(\w+)"/.exec(text)?.[1]));
  };
  assert.deepEqual(
    Object.keys(REQUESTS).filter((type) => !typesOf("says").has(type)),
    [],
  );
  assert.deepEqual(
    // No client can make a server lose entries, or take a user out of a room.
    Object.keys(MESSAGES).filter((type) => type !== "resync" && type !== "kicked" && !typesOf("hears").has(type)),
    [],
  );
});

test("the table in docs/protocol.md has every code of errors and goodbyes", () => {
  const [, errors = ""] = /^## Errors\n(.*?)^## /ms.exec(TEXT) ?? [];
  const codes = [...errors.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, cell = ""]) => cell.match(/[\w-]+/g) ?? []);
  assert.deepEqual(codes.sort(), [...ERROR_CODES].sort());
  const [, back = "", forGood = ""] =
    /^\| connect again \|(.*?)^\| do not connect again \|(.*?)\n\n/ms.exec(TEXT) ?? [];
  const codesOf = (table: string) => [...table.matchAll(/^\| `([\w-]+)` \|/gm)].map(([, code]) => code).sort();
  const byes = Object.entries(BYE_CODES);
  assert.deepEqual(codesOf(back), byes.flatMap(([code, isBack]) => (isBack ? [code] : [])).sort());
  assert.deepEqual(codesOf(forGood), byes.flatMap(([code, isBack]) => (isBack ? [] : [code])).sort());
});

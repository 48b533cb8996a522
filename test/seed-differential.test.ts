/**
 * Compares the tutorial's chat server with ours. A Python client holds the same conversations with both. The answers must
 * be equal, except for the improvements that `docs/protocol.md` lists.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { TestServer } from "./chat-server.ts";
import { skipWithoutPython } from "./programs.ts";

const skip = skipWithoutPython();

type Hears = Readonly<Record<string, number>>;

/** A client sends bytes, written as Latin-1, or hangs up. */
interface Step {
  readonly who: string;
  readonly send?: string;
  readonly close?: boolean;
  /** How many messages each client must receive from our server before the next step. */
  readonly hears?: Hears;
  /** Whether this is only a part of a request, without an answer. */
  readonly is_part?: boolean;
}

/** The messages to each client after the welcome, as Python prints them. */
type Told = Readonly<Record<string, readonly string[]>>;

interface Conversation {
  readonly steps: readonly Step[];
  /** A difference between the servers: the row in the documented table, and the messages of our server. */
  readonly better?: { readonly why: string; readonly told: Told };
}

const say = (who: string, request: object | string, rest: Partial<Step> = {}): Step => ({
  who,
  send: typeof request === "string" ? request : Buffer.from(JSON.stringify(request)).toString("latin1"),
  ...rest,
});
const join = (who: string, room = "lobby", username = who): Step => say(who, { type: "join", room, username });
const chat = (who: string, message: unknown): Step => say(who, { type: "chat", message });
/** Sends the message as raw JSON. */
const rawChat = (who: string, message: string): Step => say(who, `{"type": "chat", "message": ${message}}`);
const rawJoin = (who: string, room: string, username: string, rest: Partial<Step> = {}): Step =>
  say(who, `{"type": "join", "room": ${room}, "username": ${username}}`, rest);

const notice = (message: string): string => `{"type": "notification", "message": ${JSON.stringify(message)}}`;
const said = (username: string, message: string, room = "lobby"): string =>
  `{"type": "chat", "username": "${username}", "room": "${room}", "message": ${message}}`;
const error = (code: string, message: string): string =>
  `{"type": "error", "code": "${code}", "message": ${JSON.stringify(message)}}`;
const INVALID = '{"type": "error", "message": "Invalid JSON"}';

const both = [join("ada"), join("bob")];
const ADA_IN = [notice("ada joined lobby"), notice("bob joined lobby")];
const BOB_IN = [notice("bob joined lobby")];

/** Ada and Bob join the lobby, then take steps with a documented difference. */
function better(why: string, steps: readonly Step[], ada: readonly string[], bob: readonly string[]): Conversation {
  return { steps: [...both, ...steps], better: { why, told: { ada: [...ADA_IN, ...ada], bob: [...BOB_IN, ...bob] } } };
}

/** A message with this value, which both servers deliver unchanged. */
const passes = (message: string): Conversation => ({ steps: [...both, rawChat("ada", message)] });

const NAMES = "Names";
const ONE = "One person per name";
const LEAVING = "Leaving";
const MOVING = "Joining another room, or under another name";
const AGAIN = "Joining the same room again";
const ODD = "Odd requests";
const SPLIT = "Messages in the byte stream";
const SILENT = "Errors with a code";
const NUMBERS = "Numbers";

const ADA_HEARS: Partial<Step> = { hears: { ada: 1 } };

const CONVERSATIONS: Readonly<Record<string, Conversation>> = {
  "a client connects and sends nothing": { steps: [{ who: "ada" }] },
  "two clients join and chat": { steps: [...both, chat("ada", "hello"), chat("bob", "hi"), chat("ada", "bye")] },
  "a message without other members": { steps: [join("ada"), chat("ada", "hello")] },
  "three members in a room": { steps: [...both, join("cy"), chat("cy", "hello"), chat("ada", "hi")] },
  "messages stay in their room": {
    steps: [join("ada"), join("bob", "kitchen"), chat("ada", "here"), chat("bob", "there")],
  },
  "text beyond ASCII": {
    steps: [...both, chat("ada", "h\u00e9llo"), rawChat("bob", '"\\u4e16\\u754c \\ud83d\\ude00"')],
  },
  "a name and a room beyond ASCII": {
    steps: [
      rawJoin("ada", '"K\\u00fcche"', '"J\\u00fcrgen"'),
      rawJoin("bob", '"K\\u00fcche"', '"bob"'),
      chat("ada", "hi"),
    ],
  },
  "text with quotes, slashes, line ends": { steps: [...both, chat("ada", 'a "b" \\ / \n\r\t \u0000 </script>')] },
  "an empty message": { steps: [...both, chat("ada", "")] },
  "chat without a message": { steps: [...both, say("ada", { type: "chat" })] },
  "a whole number": passes("42"),
  "a number below zero": passes("-7"),
  "a fraction": passes("1.50"),
  "a whole fraction": passes("1.0"),
  "a large whole number": passes("12345678901234567890123"),
  "a number with an exponent": passes("1.5e300"),
  zero: passes("0"),
  null: passes("null"),
  true: passes("true"),
  false: passes("false"),
  "an empty list": passes("[]"),
  "a list": passes('[1, "two", [3.0, null], {"four": 4}]'),
  "an empty object": passes("{}"),
  "an object": passes('{"b": {"c": [true]}, "a": "\\u00e9\\n", "__proto__": 1}'),
  "a text that looks like a number": passes('"42"'),
  "a text with Python's NaN and Infinity": passes('"NaN, Infinity"'),
  "a list of whole numbers beyond a double": passes("[9007199254740993, -9007199254740993]"),
  NaN: better(NUMBERS, [rawChat("ada", "NaN")], [], [said("ada", '"NaN"')]),
  Infinity: better(NUMBERS, [rawChat("ada", "Infinity")], [], [said("ada", '"Infinity"')]),
  "-Infinity in a list": better(
    NUMBERS,
    [rawChat("ada", "[-Infinity, NaN, 1]")],
    [],
    [said("ada", '["-Infinity", "NaN", 1]')],
  ),
  "a number above the range of a double": { steps: [...both, rawChat("ada", "1e400")] },
  "chat with the room it is in": { steps: [...both, say("ada", { type: "chat", room: "lobby", message: "hi" })] },
  "chat with another room": { steps: [...both, say("ada", { type: "chat", room: "kitchen", message: "hi" })] },
  "chat with a room that is a number": { steps: [...both, say("ada", { type: "chat", room: 5, message: "hi" })] },
  "chat with a room that is null": { steps: [...both, say("ada", { type: "chat", room: null, message: "hi" })] },
  "chat with a room that is a list": { steps: [...both, say("ada", { type: "chat", room: ["x"], message: "hi" })] },
  "chat with another name": { steps: [...both, say("ada", { type: "chat", username: "eve", message: "hi" })] },
  "fields of other versions in chat": {
    steps: [...both, say("ada", '{"type": "chat", "message": "hi", "id": 5, "history": {}, "after": [NaN]}')],
  },
  "fields of other versions in join": {
    steps: [
      say("ada", '{"type": "join", "room": "lobby", "username": "ada", "id": [], "history": "all", "after": 1e400}'),
      join("bob"),
    ],
  },
  "an id that is too long": { steps: [...both, say("ada", { type: "chat", message: "hi", id: "x".repeat(100) })] },
  "unknown fields": { steps: [...both, say("ada", { type: "chat", message: "hi", color: "red", more: [{}] })] },
  "a field twice": { steps: [...both, say("ada", '{"type": "chat", "message": "one", "message": "two"}')] },
  "white space around": { steps: [...both, say("ada", ' \n{ "type" :\t"chat" ,\r\n "message" : "hi" } \n')] },
  "join without anything": { steps: [say("ada", { type: "join" })] },
  "join without a name": { steps: [say("ada", { type: "join", room: "lobby" })] },
  "join without a room": { steps: [say("ada", { type: "join", username: "ada" })] },
  "a second join without a name": {
    steps: [...both, say("ada", { type: "join", room: "kitchen" }), chat("bob", "still here?")],
  },
  "join with an empty room": { steps: [say("ada", { type: "join", room: "", username: "ada" })] },
  "join with an empty name": { steps: [say("ada", { type: "join", room: "lobby", username: "" })] },
  "join with null": { steps: [say("ada", { type: "join", room: null, username: null })] },
  "join with zero, false and empty values": {
    steps: [
      rawJoin("ada", "0", '"ada"'),
      rawJoin("ada", '"lobby"', "false"),
      rawJoin("ada", "[]", "{}"),
      rawJoin("ada", "-0.0", '"ada"'),
    ],
  },
  "text that is not JSON": { steps: [...both, say("ada", "this is no json\n"), chat("ada", "still here")] },
  "JSON with single quotes": { steps: [...both, say("ada", "{'type': 'chat'}\n"), chat("ada", "still here")] },
  "an invalid object": { steps: [...both, say("ada", '{"type": "chat", "message": }\n'), chat("ada", "hi")] },
  "a member hangs up": { steps: [...both, { who: "ada", close: true, hears: { bob: 1 } }] },
  "a client without a room hangs up": { steps: [{ who: "ada" }, join("bob"), { who: "ada", close: true }] },
  "a room is empty and used again": {
    steps: [...both, { who: "ada", close: true, hears: { bob: 1 } }, join("cy"), chat("cy", "hello")],
  },

  "a name that is a number": {
    steps: [rawJoin("ada", "71", "42"), rawJoin("bob", "71", "1e5"), chat("ada", "hi")],
    better: {
      why: NUMBERS,
      told: {
        ada: [notice("42 joined 71"), notice("100000.0 joined 71")],
        bob: [notice("100000.0 joined 71"), said("42", '"hi"', "71")],
      },
    },
  },
  "a name that is a boolean": {
    steps: [rawJoin("ada", "72", "true"), rawJoin("bob", "72", '"bob"'), chat("ada", "hi")],
    better: {
      why: NUMBERS,
      told: {
        ada: [notice("True joined 72"), notice("bob joined 72")],
        bob: [notice("bob joined 72"), said("True", '"hi"', "72")],
      },
    },
  },
  "notices of names that are numbers": {
    steps: [rawJoin("ada", "73.50", "-1.25"), rawJoin("ada", "1e-7", "12345678901234567890")],
  },
  "a name that is a list": {
    steps: [rawJoin("ada", '"lobby"', '["a"]')],
    better: { why: NAMES, told: { ada: [error("invalid-request", '"username" must be a string')] } },
  },
  "a name with spaces": {
    steps: [join("ada", "lobby", "a b")],
    better: {
      why: NAMES,
      told: {
        ada: [
          error(
            "name-invalid",
            "The username must have only letters, digits, punctuation, symbols and emoji, without spaces",
          ),
        ],
      },
    },
  },
  "a name that is too long": {
    steps: [join("ada", "lobby", "x".repeat(33))],
    better: {
      why: NAMES,
      told: { ada: [error("name-invalid", "The username must have 1 to 32 characters and at most 64 bytes")] },
    },
  },
  "a room with a comma": {
    steps: [join("ada", "a,b")],
    better: { why: NAMES, told: { ada: [error("room-invalid", "The room name must not contain a comma")] } },
  },
  "a room name in another case": {
    steps: [join("ada", "lobby"), join("bob", "Lobby"), chat("bob", "hi")],
    better: { why: NAMES, told: { ada: [...ADA_IN, said("bob", '"hi"')], bob: BOB_IN } },
  },
  "a name in use": {
    steps: [join("ada"), join("bob", "lobby", "ada"), chat("ada", "only me")],
    better: {
      why: ONE,
      told: { ada: [notice("ada joined lobby")], bob: [error("name-in-use", "The name ada is in use")] },
    },
  },
  "a name in use, in another case": {
    steps: [join("ada"), join("bob", "kitchen", "ADA")],
    better: {
      why: ONE,
      told: { ada: [notice("ada joined lobby")], bob: [error("name-in-use", "The name ADA is in use")] },
    },
  },
  "moving to another room": better(
    MOVING,
    [join("ada", "kitchen"), chat("bob", "gone?"), chat("ada", "here")],
    [notice("ada joined kitchen")],
    [notice("ada left lobby")],
  ),
  "taking another name": better(
    MOVING,
    [join("ada", "lobby", "eve"), chat("ada", "it is me")],
    [notice("eve joined lobby")],
    [notice("ada left lobby"), notice("eve joined lobby"), said("eve", '"it is me"')],
  ),
  "joining the room again": better(AGAIN, [join("ada")], [notice("ada joined lobby")], []),
  leave: better(LEAVING, [say("ada", { type: "leave" }), chat("bob", "anyone?")], [], [notice("ada left lobby")]),
  "leave with a room of any kind": better(
    LEAVING,
    [say("ada", { type: "leave", room: [5] })],
    [],
    [notice("ada left lobby")],
  ),
  "coming back after leave": better(
    LEAVING,
    [say("ada", { type: "leave" }), join("ada")],
    [notice("ada joined lobby")],
    [notice("ada left lobby"), notice("ada joined lobby")],
  ),
  "a list alone": better(
    ODD,
    [say("ada", "[1]", ADA_HEARS)],
    [error("invalid-request", "A message must be a JSON object")],
    [],
  ),
  "a text": better(
    ODD,
    [say("ada", '"hello"', ADA_HEARS)],
    [error("invalid-request", "A message must be a JSON object")],
    [],
  ),
  "null alone": better(
    ODD,
    [say("ada", "null", ADA_HEARS)],
    [error("invalid-request", "A message must be a JSON object")],
    [],
  ),
  "bytes that are not UTF-8": better(
    ODD,
    [say("ada", '{"type": "chat", "message": "\xff"}\n', ADA_HEARS), chat("bob", "hi")],
    [INVALID, said("bob", '"hi"')],
    [],
  ),
  "a request nested too deeply": better(
    ODD,
    [say("ada", `{"type": "chat", "message": ${"[".repeat(200)}${"]".repeat(200)}}\n`, ADA_HEARS)],
    [INVALID],
    [],
  ),
  "two requests in one piece": better(
    SPLIT,
    [say("ada", '{"type": "chat", "message": "one"}{"type": "chat", "message": "two"}')],
    [],
    [said("ada", '"one"'), said("ada", '"two"')],
  ),
  "two requests on two lines": better(
    SPLIT,
    [say("ada", '{"type": "chat", "message": "one"}\n{"type": "chat", "message": "two"}\n')],
    [],
    [said("ada", '"one"'), said("ada", '"two"')],
  ),
  "one request in two pieces": better(
    SPLIT,
    [say("ada", '{"type": "chat", ', { is_part: true }), say("ada", '"message": "hello"}')],
    [],
    [said("ada", '"hello"')],
  ),
  "a request of more than 1024 bytes": better(
    SPLIT,
    [say("ada", { type: "chat", message: "x".repeat(2_000) })],
    [],
    [said("ada", `"${"x".repeat(2_000)}"`)],
  ),
  "an empty line": better(SPLIT, [say("ada", "\n"), chat("ada", "hi")], [], [said("ada", '"hi"')]),
  "text that is not JSON before a request": better(
    SPLIT,
    [say("ada", 'nonsense {"type": "chat", "message": "hi"}')],
    [INVALID],
    [said("ada", '"hi"')],
  ),
  "an unknown type": better(
    SILENT,
    [say("ada", { type: "dance" })],
    [error("unknown-type", "Unknown message type")],
    [],
  ),
  "no type": better(SILENT, [say("ada", { message: "hi" })], [error("invalid-request", '"type" must be a string')], []),
  "a type that is not a string": better(
    SILENT,
    [say("ada", { type: ["chat"] })],
    [error("invalid-request", '"type" must be a string')],
    [],
  ),
  "chat before join": {
    steps: [chat("ada", "hello?")],
    better: { why: SILENT, told: { ada: [error("not-joined", "Join the room first")] } },
  },
  "leave before join": {
    steps: [say("ada", { type: "leave" }, ADA_HEARS)],
    better: { why: SILENT, told: { ada: [error("not-joined", "You are not in that room")] } },
  },
  ping: better(SILENT, [say("ada", { type: "ping", id: 7 })], ['{"type": "pong"}'], []),
  "a request of version 2": better(
    SILENT,
    [say("ada", { type: "who", room: "lobby" })],
    [error("version-required", 'Send {"type":"hello","version":2} before who')],
    [],
  ),
};

/** Holds conversations with our server at this port, or without a port with the tutorial's server. */
class Holder implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(port?: number) {
    const path = fileURLToPath(new URL("fixtures/seed-conversations.py", import.meta.url));
    const args = port === undefined ? [] : [String(port)];
    this.#child = spawn("python3", ["-u", path, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdin?.on("error", () => undefined);
    this.#lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  }

  async ask(line: string): Promise<string> {
    this.#child.stdin?.write(`${line}\n`);
    const { value, done } = await this.#lines.next();
    assert.ok(!done, "the program has ended");
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    if (this.#child.exitCode === null) await once(this.#child, "exit");
  }
}

const WORDS = /\b(ada|bob|cy|eve|lobby|kitchen)\b/gi;

/** Holds a conversation under unique names, so that conversations do not affect each other. */
async function hold(holder: Holder, steps: readonly Step[], index: number): Promise<Told> {
  const own = steps.map((step) => ({ ...step, send: step.send?.replace(WORDS, `$1_${index}`) }));
  const told: Record<string, string[]> = JSON.parse(
    (await holder.ask(JSON.stringify(own))).replaceAll(`_${index}`, ""),
  );
  for (const [who, lines] of Object.entries(told)) {
    assert.match(
      lines.shift() as string,
      /^\{"type": "welcome", "message": "Welcome! Send /,
      `${who} was not welcomed`,
    );
  }
  return told;
}

describe("version 1 compared with the tutorial's server", { skip, timeout: 300_000 }, () => {
  let ours: TestServer;
  let here: Holder;
  let there: Holder;

  before(async () => {
    ours = await TestServer.start({ silentMs: 20, sniffMs: 20 });
    here = new Holder(ours.port);
    there = new Holder();
  });
  after(async () => {
    for (const each of [here, there, ours]) await each?.[Symbol.asyncDispose]();
  });

  for (const [index, [name, { steps, better }]] of Object.entries(CONVERSATIONS).entries()) {
    test(`${name}${better === undefined ? "" : `: ${better.why}`}`, async () => {
      const toldThere = await hold(there, steps, index);
      const toldHere = await hold(here, steps, index);
      assert.deepEqual(toldHere, better?.told ?? toldThere);
      if (better !== undefined) assert.notDeepEqual(toldHere, toldThere, "the servers no longer differ");
    });
  }
});

test("docs/protocol.md lists exactly the differences from the tutorial's server", () => {
  const text = readFileSync(new URL("../docs/protocol.md", import.meta.url), "utf8");
  const [, section = ""] = text.split("### Beside the tutorial's server");
  const rows = [...(section.split("\n#")[0] as string).matchAll(/^\| ([^|`]+?) \| [^|]+ \| [^|]+ \|$/gm)];
  const listed = rows.map(([, what]) => what).slice(1);
  const used = new Set(Object.values(CONVERSATIONS).map(({ better }) => better?.why));
  used.delete(undefined);
  assert.deepEqual(listed.sort(), [...used].sort());
  assert.ok(Object.keys(CONVERSATIONS).length >= 56, "too few conversations");
});

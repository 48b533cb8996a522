import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { failOnLeaks } from "./leaks.ts";
import { RoughChat, type RoughClient } from "./rough-chat.ts";
import { fc } from "./seed.ts";
import { textOf } from "./suites/room-log-suite.ts";
import { idle } from "./until.ts";

failOnLeaks();

const NAMES = ["ada", "bob"];

/** An event. `who` selects the client, `wire` the link, 0 being the newest. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("say" as const), who: fc.nat(1), room: fc.nat(1) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom("toServer" as const, "toClient" as const),
      who: fc.nat(1),
      wire: fc.nat(2),
      bytes: fc.oneof(fc.nat(300), fc.constant(100_000)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("accept" as const), who: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("cut" as const), who: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("notice" as const), who: fc.nat(1), wire: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("elapse" as const), ms: fc.constantFrom(50, 150, 500, 1_000) }) },
);

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** A message of a client's user, and its outcome. */
interface Said {
  readonly room: string;
  readonly text: string;
  seq?: number | undefined;
  error?: unknown;
}

async function run(steps: readonly Step[], isOldestFirst: boolean): Promise<void> {
  const chat = new RoughChat(...NAMES);
  const said: Said[] = [];
  try {
    await enter(chat);
    for (const each of steps) await take(chat, each, said);
    const isAnswered = () => said.every(({ seq, error }) => (seq ?? error) !== undefined);
    await chat.calm(() => isAnswered() && chat.clients.every(isWhole), isOldestFirst);
    await judge(chat, said);
  } finally {
    await chat.close();
  }
}

async function enter(chat: RoughChat): Promise<void> {
  for (const { client } of chat.clients) {
    const entering = client.connect().then(() => Promise.all(["lobby", "kitchen"].map((room) => client.join(room))));
    let isIn = false;
    void entering.then(() => {
      isIn = true;
    });
    await chat.calm(() => isIn);
  }
}

async function take(chat: RoughChat, each: Step, said: Said[]): Promise<void> {
  if (each.do === "elapse") return chat.elapse(each.ms);
  const own = chat.clients[each.who] as RoughClient;
  const wire = "wire" in each ? own.wires.at(-1 - each.wire) : own.wires.findLast(({ isLive }) => isLive);
  if (each.do === "say") {
    const message: Said = { room: each.room === 0 ? "lobby" : "kitchen", text: `m${said.length}` };
    said.push(message);
    own.client.chat(message.room, message.text).then(
      ({ seq }) => {
        message.seq = seq;
      },
      (error) => {
        message.error = error;
      },
    );
  } else if (each.do === "toServer") wire?.arriveAtServer(each.bytes);
  else if (each.do === "toClient") wire?.arriveAtClient(each.bytes);
  else if (each.do === "cut") wire?.cut();
  else if (each.do === "notice") wire?.notice();
  else own.accept();
  await idle();
}

function isWhole({ client, wires }: RoughClient): boolean {
  const live = wires.filter(({ isLive }) => isLive);
  return client.state === "online" && live.length === 1 && live.every(({ isQuiet }) => isQuiet);
}

async function judge(chat: RoughChat, said: readonly Said[]): Promise<void> {
  for (const room of ["lobby", "kitchen"]) {
    const read = await chat.fixture.log.read(room, { limit: 1_000 });
    const entries = read.entries.filter(({ kind }) => kind === "message");
    const mine = said.filter((each) => each.room === room);
    assert.deepEqual(
      mine.map(({ error }) => error),
      mine.map(() => undefined),
      "a message failed although the server is reachable in the end",
    );
    assert.deepEqual(
      mine.map(({ text, seq }) => `${seq} ${text}`).sort(),
      entries.map((entry) => `${entry.seq} ${textOf(entry)}`).sort(),
      "an acknowledged message is not stored once at its seq",
    );
    for (const [index, own] of chat.clients.entries()) {
      const shown = shownOf(own, room);
      const seqs = shown.map(({ seq }) => seq as number);
      assert.deepEqual(
        seqs,
        [...new Set(seqs)].sort((a, b) => a - b),
        "a message is shown twice or out of order",
      );
      assert.deepEqual(
        shown.filter(({ username }) => username !== NAMES[index]).map(({ message }) => message),
        entries.filter(({ author }) => author.name !== NAMES[index]).map(textOf),
        "not all messages of others are shown",
      );
    }
    assert.equal((await chat.fixture.members(room)).length, NAMES.length, "a member is listed twice or missing");
  }
  for (const { events } of chat.clients) {
    const strange = events.filter(({ type }) => ["dropped", "gap", "error", "bye"].includes(type));
    assert.deepEqual(strange, []);
  }
  assert.deepEqual(chat.fixture.reported, []);
}

function shownOf({ events }: RoughClient, room: string) {
  return events.flatMap((event) => {
    if (event.type === "message" && event.message.room === room) return [event.message];
    if (event.type === "rejoined" && event.joined.room === room) return event.missed;
    return [];
  });
}

describe("ChatClient on links that break", () => {
  test("shows each message once and in order, with correct acknowledgements, for any order of link events", async () => {
    const runs = process.env.LANDLINE_LONG === undefined ? 500 : 20_000;
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.boolean(), run), { numRuns: runs });
  });
});

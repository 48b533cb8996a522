import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type FakeClient, HubFixture, pick } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { idle, turn } from "../../../../test/until.ts";
import { MemoryRoomLog } from "../adapters/memory/mod.ts";
import type { AppendResult, NewEntry } from "./mod.ts";

failOnLeaks();

const chat = (message: string, id?: string) =>
  ({ type: "chat", message, ...(id === undefined ? {} : { id }) }) as const;

describe("FanOut", () => {
  test("encodes once per format: all members of a format get the same Buffer", async () => {
    const fixture = new HubFixture();
    const author = await fixture.member("Author", "lobby");
    const seeds = await many(3, (i) => fixture.seedMember(`seed${i}`, "lobby"));
    const others = await many(3, (i) => fixture.member(`other${i}`, "lobby"));
    await idle();
    author.ask(chat("one"), chat("two"), chat("three"));
    await idle();
    for (const group of [seeds, others]) {
      const sent = group.map((member) => member.link.sent.at(-1));
      assert.equal(new Set(sent).size, 1);
      assert.equal(String(sent[0]).split("\n").length, 4, "three lines in one write");
    }
  });

  test("writes once per member, however many messages a turn brings", async () => {
    const fixture = new HubFixture();
    const author = await fixture.member("Author", "lobby");
    const reader = await fixture.member("Reader", "lobby");
    await idle();
    const before = reader.link.sent.length;
    author.ask(...Array.from({ length: 100 }, (_, i) => chat(`${i}`)));
    await idle();
    assert.equal(reader.link.sent.length, before + 1);
    assert.equal(reader.take().filter(({ type }) => type === "chat").length, 100);
  });

  test("leaves an author's own messages out of its bytes, at any position", async () => {
    // a: a message of the author, b: of another member
    for (const pattern of ["a", "ab", "ba", "aab", "abab", "baab", "bbabb", "aaaa", "babbbabab"]) {
      const fixture = new HubFixture();
      const a = await fixture.seedMember("Ada", "lobby");
      const b = await fixture.seedMember("Bob", "lobby");
      const both = { a, b };
      await idle();
      for (const member of [a, b]) member.take();
      for (const [i, who] of [...pattern].entries()) both[who as "a" | "b"].ask(chat(`${who}${i} é語😀`));
      await idle();
      for (const [own, member] of [
        ["a", a],
        ["b", b],
      ] as const) {
        const expected = [...pattern].map((who, i) => `${who}${i} é語😀`).filter((text) => !text.startsWith(own));
        assert.deepEqual(textsOf(member), expected, `${pattern} for ${own}`);
      }
    }
  });

  test("copies a short part of a long batch and shares the memory of a long part", async () => {
    const fixture = new HubFixture();
    const author = await fixture.seedMember("Author", "lobby");
    const other = await fixture.seedMember("Other", "lobby");
    const reader = await fixture.seedMember("Reader", "lobby");
    await idle();
    author.ask(...Array.from({ length: 8 }, () => chat("x".repeat(10_000))));
    other.ask(chat("short"));
    await idle();
    const whole = reader.link.sent.at(-1) as Uint8Array;
    const short = author.link.sent.at(-1) as Uint8Array;
    assert.deepEqual(textsOf(author).at(-1), "short");
    assert.notEqual(short.buffer, whole.buffer);
    assert.equal((other.link.sent.at(-1) as Uint8Array).buffer, whole.buffer);
  });

  test("writes to all members, also to more than one turn serves", async () => {
    const fixture = new HubFixture();
    const rooms = Array.from({ length: 20 }, (_, i) => `room${i}`);
    const author = await fixture.member("Author", ...rooms);
    const readers = await many(20, (i) => fixture.member(`reader${i}`, ...rooms));
    await idle();
    for (const reader of readers) reader.take();
    const before = readers[0]?.link.sent.length ?? 0;
    author.ask(...rooms.map((room) => ({ type: "chat", room, message: room }) as const));
    await idle();
    for (const reader of readers) assert.deepEqual([...textsOf(reader)].sort(), [...rooms].sort());
    assert.equal(readers[0]?.link.sent.length, before + rooms.length);
  });

  test("limits the writes per turn, so that the loop reads in between", async () => {
    const fixture = new HubFixture();
    const authors = await many(10, (i) => fixture.member(`author${i}`, `room${i}`));
    const readers = await many(10, (i) => many(30, (j) => fixture.member(`reader${i}-${j}`, `room${i}`)));
    await idle();
    const sends: number[] = [];
    const links = readers.flat().map(({ link }) => link);
    const count = (): number => links.reduce((sum, { sent }) => sum + sent.length, 0);
    let before = count();
    for (const author of authors) author.ask(chat("hi"));
    for (let turns = 0; turns < 20; turns += 1) {
      await turn();
      sends.push(count() - before);
      before = count();
    }
    assert.equal(
      sends.reduce((a, b) => a + b),
      300,
    );
    assert.ok(Math.max(...sends) < 64 + 31, `${sends}`);
  });

  test("flushes a room at 1,024 pending events", async () => {
    const fixture = new HubFixture({ limits: { inFlightMax: 5_000 } });
    const author = await fixture.seedMember("Author", "lobby");
    const reader = await fixture.seedMember("Reader", "lobby");
    await idle();
    reader.take();
    const before = reader.link.sent.length;
    author.ask(...Array.from({ length: 2_500 }, (_, i) => chat(`${i}`)));
    await idle();
    assert.equal(reader.link.sent.length, before + 3);
    assert.deepEqual(
      textsOf(reader),
      Array.from({ length: 2_500 }, (_, i) => `${i}`),
    );
  });

  test("writes to the other members when it removes a slow one", async () => {
    const fixture = new HubFixture({ limits: { outboxBytesMax: 100 } });
    const author = await fixture.member("Author", "lobby");
    const members = await many(9, (i) => fixture.member(`m${i}`, "lobby"));
    await idle();
    for (const [i, member] of members.entries()) {
      member.take();
      if (i % 2 === 0) member.link.bufferedBytes = 1_000;
    }
    author.ask(chat("hi"));
    await idle();
    assert.deepEqual(
      members.map((member) => member.client.isGone),
      members.map((_, i) => i % 2 === 0),
    );
    for (const [i, member] of members.entries()) if (i % 2 === 1) assert.deepEqual(textsOf(member), ["hi"]);
  });
});

/** Joins them one after the other, so that each gets the notice of the next. */
async function many<T>(count: number, make: (index: number) => Promise<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for (let i = 0; i < count; i += 1) all.push(await make(i));
  return all;
}

function textsOf(member: FakeClient): readonly string[] {
  return member
    .take()
    .filter(({ type }) => type === "chat")
    .map(({ message }) => message as string);
}

describe("FanOut during a commit", () => {
  const typing = { type: "typing", room: "lobby" } as const;

  test("waits in a large room for the commit under way, once", async () => {
    const { fixture, log, author, others } = await crowd(256);
    const [writer, reader] = [others[0] as FakeClient, others[1] as FakeClient];
    log.hold();
    assert.deepEqual(await author.hear(chat("one", "1")), []);
    await writer.hear(typing);
    assert.deepEqual(reader.take(), []);
    await author.hear(chat("two", "2"));
    log.letGo();
    await idle();
    assert.deepEqual(pick(reader.take(), "type"), [["typing"]]);
    fixture.now += 3_000;
    await writer.hear(typing);
    assert.deepEqual(reader.take(), []);
    log.letGo();
    await idle();
    assert.deepEqual(pick(reader.take(), "type"), [["typing"]]);
  });

  test("waits in a large room at most 20 ms for a disk that hangs", async (context) => {
    const { log, author, others } = await crowd(256);
    context.mock.timers.enable({ apis: ["setTimeout"] });
    log.hold();
    await author.hear(chat("one", "1"));
    await others[0]?.hear(typing);
    context.mock.timers.tick(19);
    await idle();
    assert.deepEqual(others[1]?.take(), []);
    context.mock.timers.tick(1);
    await idle();
    assert.deepEqual(pick(others[1]?.take() ?? [], "type"), [["typing"]]);
    log.letGo();
    await idle();
  });

  test("does not wait in a small room, nor in a large one without a commit", async () => {
    const large = await crowd(256);
    await large.others[0]?.hear(typing);
    assert.deepEqual(pick(large.others[1]?.take() ?? [], "type"), [["typing"]]);
    const small = await crowd(255);
    small.log.hold();
    await small.author.hear(chat("one", "1"));
    await small.others[0]?.hear(typing);
    assert.deepEqual(pick(small.others[1]?.take() ?? [], "type"), [["typing"]]);
    small.log.letGo();
    await idle();
  });
});

/** A room with `size` people, and an author in another room. The log can hold appends back. */
async function crowd(size: number) {
  const log = new HeldLog();
  const fixture = new HubFixture({ log });
  const author = await fixture.member("Author", "study");
  const others = await many(size, (i) => fixture.member(`other${i}`, "lobby"));
  await idle();
  for (const other of others) other.take();
  author.take();
  return { fixture, log, author, others };
}

/** After `hold`, appends wait; each `letGo` runs the oldest one. */
class HeldLog extends MemoryRoomLog {
  #isHeld = false;
  readonly #waiting: (() => void)[] = [];

  hold(): void {
    this.#isHeld = true;
  }

  letGo(): void {
    this.#waiting.shift()?.();
  }

  override async append(entries: readonly NewEntry[]): Promise<readonly AppendResult[]> {
    if (this.#isHeld) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return super.append(entries);
  }
}

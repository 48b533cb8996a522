import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FaultyLog } from "../../../../test/faulty-log.ts";
import { type FakeClient, HubFixture, type Message, pick } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { put, said, textOf } from "../../../../test/suites/room-log-suite.ts";
import { idle } from "../../../../test/until.ts";
import { MemoryRoomLog, MemoryRoomStore } from "../adapters/memory/mod.ts";
import type { AppendResult, Entry, NewEntry } from "./mod.ts";
import { RoomLogError } from "./ports/room-log.ts";

failOnLeaks();

const chat = (message: string, room = "lobby") => ({ type: "chat", id: message, room, message }) as const;
const ping = { type: "ping", id: "ping" } as const;
const is = (text: string) => (entry: Entry) => textOf(entry) === text;

/** Ada and Bob in the lobby, on a log with faults. */
async function pair() {
  const store = new MemoryRoomStore({ now: () => 1_700_000_000_000 });
  const log = new FaultyLog(new MemoryRoomLog(store));
  const fixture = new HubFixture({ log });
  const ada = await fixture.member("Ada", "lobby");
  const bob = await fixture.member("Bob", "lobby");
  ada.take();
  return { store, log, fixture, ada, bob };
}

/** Joins again from a position. Returns the texts of the answer. */
async function rejoin(client: FakeClient, after: Message | undefined): Promise<readonly unknown[]> {
  const position = (after?.position ?? { epoch: "", seq: 0 }) as { epoch: string; seq: number };
  const told = await client.hear({ type: "join", id: "again", room: "lobby", after: position });
  const joined = told.find(({ id }) => id === "again");
  assert.equal(joined?.recovered, true, JSON.stringify(told));
  return ((joined as Message).entries as Message[]).map(({ message }) => message);
}

/** The hub's clock moves past the time that an entry may take to arrive. */
async function waitForArrival(fixture: HubFixture): Promise<void> {
  fixture.now += 2_000;
  fixture.hub.sweep();
  await idle();
}

describe("Settlement: messages are settled by their results", () => {
  test("when `follow` loses the last entry, its author gets the ack and the members a resync", async () => {
    const { log, fixture, ada, bob } = await pair();
    const [start] = await bob.hear({ type: "join", room: "lobby" });
    log.fateOf = (entry) => (is("two")(entry) ? "lost" : "arrives");
    assert.deepEqual(pick(await ada.hear(chat("one"), chat("two")), "type", "id"), [["ack", "one"]]);
    // Behind the message in doubt, answers wait.
    assert.deepEqual(await ada.hear(ping), []);
    await waitForArrival(fixture);
    assert.deepEqual(pick(ada.take(), "type", "id", "seq"), [
      ["resync", undefined, undefined],
      ["ack", "two", 3],
      ["pong", "ping", undefined],
    ]);
    assert.deepEqual(pick(bob.take(), "type", "message"), [
      ["chat", "one"],
      ["resync", undefined],
    ]);
    assert.deepEqual(await rejoin(bob, start), ["one", "two"]);
    await ada.hear(chat("three"));
    assert.deepEqual(pick(bob.take(), "type", "message", "prev"), [["chat", "three", 3]]);
    assert.match(String(fixture.reported), /Entries of the room "lobby" were lost/);
  });

  test("when `follow` loses a middle entry, the next one reveals it", async () => {
    const { log, ada, bob } = await pair();
    const [start] = await bob.hear({ type: "join", room: "lobby" });
    log.fateOf = (entry) => (is("two")(entry) ? "lost" : "arrives");
    const told = await ada.hear(chat("one"), chat("two"), chat("three"), ping);
    assert.deepEqual(
      told.filter(({ type }) => type !== "resync").map(({ type, id, seq }) => [type, id, seq]),
      [
        ["ack", "one", 2],
        ["ack", "two", 3],
        ["ack", "three", 4],
        ["pong", "ping", undefined],
      ],
    );
    const types = bob.take().map(({ type }) => type);
    assert.equal(types.indexOf("resync"), 1, `${types}`);
    assert.deepEqual(await rejoin(bob, start), ["one", "two", "three"]);
  });

  for (const lost of ["one", "two", "three"]) {
    test(`every ack comes once and in order when the log says that it lost entries after \`${lost}\``, async () => {
      const { log, ada, bob } = await pair();
      const all = ["one", "two", "three", "four"];
      const from = all.indexOf(lost);
      log.fateOf = (entry) => (all.indexOf(textOf(entry)) >= from ? "lost" : "arrives");
      ada.ask(...all.map((text) => chat(text)), ping);
      await idle();
      log.lose("lobby");
      await idle();
      const told = ada.take().filter(({ type }) => type !== "resync");
      assert.deepEqual(pick(told, "type", "id", "seq"), [
        ...all.map((text, i) => ["ack", text, i + 2]),
        ["pong", "ping", undefined],
      ]);
      assert.deepEqual(pick(bob.take(), "type").at(-1), ["resync"]);
    });
  }

  test("an ack waits for its entry, in the room's order, when results overtake `follow`", async () => {
    const { store, log, ada, bob } = await pair();
    const other = new MemoryRoomLog(store);
    log.fateOf = () => "late";
    await other.append([said("elsewhere", { from: "Eve" })]);
    assert.deepEqual(await ada.hear(chat("one"), chat("two"), ping), []);
    await other.append([said("later", { from: "Eve" })]);
    log.deliver();
    await idle();
    assert.deepEqual(pick(ada.take(), "type", "id", "message"), [
      ["chat", undefined, "elsewhere"],
      ["ack", "one", undefined],
      ["ack", "two", undefined],
      ["chat", undefined, "later"],
      ["pong", "ping", undefined],
    ]);
    assert.deepEqual(pick(bob.take(), "message"), [["elsewhere"], ["one"], ["two"], ["later"]]);
    await other.close();
  });

  test("entries that arrive again, or too late for their place, while their room is opened are ignored", async () => {
    const { log, ada, bob } = await pair();
    const seen: Entry[] = [];
    log.fateOf = (entry) => {
      seen.push(entry);
      return is("three")(entry) ? "lost" : "arrives";
    };
    await ada.hear(chat("one"), chat("two"));
    const opens = Promise.withResolvers<void>();
    log.opens = async (_, open) => {
      await opens.promise;
      return open();
    };
    log.lose("lobby");
    await ada.hear(chat("three"), chat("four"));
    for (const entry of seen) log.again(entry);
    opens.resolve();
    await idle();
    assert.deepEqual(pick(ada.take(), "type", "id"), [["ack", "three"]]);
    assert.deepEqual(pick(bob.take(), "type", "message"), [
      ["chat", "one"],
      ["chat", "two"],
      ["resync", undefined],
      ["chat", "four"],
    ]);
  });

  test("entries that arrive again are ignored", async () => {
    const { log, ada, bob } = await pair();
    let last: Entry | undefined;
    log.fateOf = (entry) => {
      last = entry;
      return "arrives";
    };
    await ada.hear(chat("one"));
    log.fateOf = () => "arrives";
    log.again(last as Entry);
    await ada.hear(chat("two"));
    assert.deepEqual(pick(bob.take(), "type", "message"), [
      ["chat", "one"],
      ["chat", "two"],
    ]);
  });

  for (const fate of ["stored", "not-stored"] as const) {
    test(`an unknown result is answered \`in-doubt\`, and the same id settles it when it was ${fate}`, async () => {
      const { log, ada, bob, fixture } = await pair();
      log.doubts = (entry) => (textOf(entry) === "two" ? fate : undefined);
      // What the log doubts, it has not delivered.
      log.fateOf = (entry) => (is("two")(entry) ? "late" : "arrives");
      const told = await ada.hear(chat("one"), chat("two"), ping);
      assert.deepEqual(pick(told, "type", "id", "code"), [
        ["ack", "one", undefined],
        ["error", "two", "in-doubt"],
        ["pong", "ping", undefined],
      ]);
      log.deliver();
      log.doubts = undefined;
      log.fateOf = () => "arrives";
      await idle();
      // If the entry was stored, its ack stands where it passes.
      assert.deepEqual(pick(ada.take(), "type", "id"), fate === "stored" ? [["ack", "two"]] : []);
      assert.deepEqual(pick(await ada.hear(chat("two")), "type", "id", "seq", "duplicate"), [
        ["ack", "two", 3, fate === "stored" ? true : undefined],
      ]);
      assert.deepEqual(pick(bob.take(), "message"), [["one"], ["two"]]);
      assert.deepEqual(pick(await ada.hear(chat("three"), ping), "type"), [["ack"], ["pong"]]);
      assert.deepEqual(fixture.reported, []);
    });
  }

  test("an answer behind an ack that waits keeps its place", async () => {
    const { log, ada } = await pair();
    await ada.hear(chat("one"));
    log.fateOf = () => "late";
    ada.ask(chat("two"), chat("one"), chat("three"), ping);
    await idle();
    assert.deepEqual(ada.take(), []);
    log.deliver();
    await idle();
    assert.deepEqual(pick(ada.take(), "id", "duplicate"), [
      ["two", undefined],
      ["one", true],
      ["three", undefined],
      ["ping", undefined],
    ]);
  });

  test("an ack of one room leaves before the answer to a request behind a message to another room", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby", "kitchen");
    const told = await ada.hear(
      chat("one"),
      chat("two", "kitchen"),
      ping,
      chat("three"),
      chat("four", "kitchen"),
      ping,
    );
    assert.deepEqual(pick(told, "id"), [["one"], ["two"], ["ping"], ["three"], ["four"], ["ping"]]);
  });
});

describe("Settlement: the results of several appends", () => {
  /** Holds back the results of each append. */
  class SlowResults extends MemoryRoomLog {
    readonly held: (() => void)[] = [];

    override async append(entries: readonly NewEntry[]): Promise<readonly AppendResult[]> {
      const results = await super.append(entries);
      await new Promise<void>((resolve) => this.held.push(resolve));
      return results;
    }
  }

  for (const order of [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ]) {
    test(`may come in the order ${order}`, async () => {
      const log = new SlowResults();
      const fixture = new HubFixture({ log });
      const joining = fixture.member("Ada", "lobby");
      await idle();
      for (const release of log.held.splice(0)) release();
      const ada = await joining;
      for (const text of ["one", "two", "three"]) await ada.hear(chat(text));
      assert.equal(log.held.length, 3);
      ada.take();
      ada.ask(ping);
      for (const index of order) {
        assert.deepEqual(ada.take(), []);
        log.held[index]?.();
        await idle();
      }
      assert.deepEqual(pick(ada.take(), "type"), [["pong"]]);
      assert.deepEqual(pick(await ada.hear(chat("four")), "type"), [["ack"]]);
    });
  }
});

describe("Rooms that lost entries", () => {
  test("are opened again, with the state of that moment and what followed it", async () => {
    const { store, log, ada, bob } = await pair();
    const other = new MemoryRoomLog(store);
    log.fateOf = () => "lost";
    await other.append([put("topic", "tea", { from: "Eve" })]);
    const opened = Promise.withResolvers<void>();
    log.opens = async (_room, open) => {
      const at = await open();
      await opened.promise;
      return at;
    };
    log.lose("lobby");
    log.fateOf = () => "arrives";
    // A join waits until the room is open. What happens meanwhile is not lost.
    ada.ask({ type: "join", id: "again", room: "lobby" });
    await other.append([said("meanwhile", { from: "Eve" }), put("topic", "cake", { from: "Eve" })]);
    await idle();
    assert.deepEqual(
      ada.take().filter(({ type }) => type === "joined"),
      [],
    );
    opened.resolve();
    await idle();
    const joined = ada.take().find(({ type }) => type === "joined");
    assert.deepEqual([joined?.topic, ((joined as Message).position as { seq: number }).seq], ["cake", 4]);
    const asked = await bob.hear({ type: "topic", id: "t", room: "lobby" });
    assert.equal(asked.at(-1)?.topic, "cake");
    await other.close();
  });

  test("are opened once more when entries are lost meanwhile", async () => {
    const { log, bob } = await pair();
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let opens = 0;
    log.opens = async (_room, open) => {
      const at = await open();
      await gates[opens++]?.promise;
      return at;
    };
    log.lose("lobby");
    log.lose("lobby");
    bob.ask({ type: "join", id: "again", room: "lobby" });
    gates[0]?.resolve();
    await idle();
    assert.deepEqual(pick(bob.take(), "type"), [["resync"]]);
    gates[1]?.resolve();
    await idle();
    assert.deepEqual(pick(bob.take(), "type"), [["joined"]]);
    assert.equal(opens, 2);
  });

  test("whose log cannot open them refuse joins, settle what is in flight, and are tried again", async () => {
    const { log, fixture, ada, bob } = await pair();
    log.fateOf = () => "lost";
    log.opens = () => Promise.reject(new RoomLogError("io", "no"));
    ada.ask(chat("one"), ping);
    await idle();
    log.lose("lobby");
    await idle();
    assert.deepEqual(pick(ada.take(), "type", "id"), [
      ["resync", undefined],
      ["ack", "one"],
      ["pong", "ping"],
    ]);
    bob.take();
    const refused = await bob.hear({ type: "join", id: "again", room: "lobby" });
    assert.deepEqual(pick(refused, "type", "code"), [["error", "unavailable"]]);
    log.opens = undefined;
    log.fateOf = () => "arrives";
    fixture.hub.sweep();
    await idle();
    const [joined] = await bob.hear({ type: "join", id: "again", room: "lobby", history: 1 });
    assert.deepEqual(pick(joined?.entries as Message[], "message"), [["one"]]);
    await ada.hear(chat("two"));
    assert.deepEqual(pick(bob.take(), "message"), [["two"]]);
  });

  test("version 1 members are not told, and get what follows", async () => {
    const { log, fixture, ada } = await pair();
    const seed = await fixture.seedMember("Seed", "lobby");
    log.lose("lobby");
    await ada.hear(chat("one"));
    assert.deepEqual(pick(seed.take(), "type", "message"), [["chat", "one"]]);
  });

  test("are released after their last member, and opened again, in call order", async () => {
    const { log, ada, bob } = await pair();
    log.calls.length = 0;
    log.lose("lobby");
    ada.ask({ type: "leave", id: "l", room: "lobby" });
    bob.ask({ type: "leave", id: "l", room: "lobby" }, { type: "join", id: "j", room: "lobby" });
    await idle();
    assert.deepEqual(log.calls, ["open lobby", "release lobby", "open lobby"]);
    await ada.hear({ type: "join", id: "j", room: "lobby" });
    bob.take();
    await ada.hear(chat("one"));
    assert.deepEqual(pick(bob.take(), "message"), [["one"]]);
  });
});

describe("A change of a room's state", () => {
  const setTopic = (topic: string) => ({ type: "topic", id: topic, room: "lobby", topic }) as const;

  test("is decided again when another node changed the state first", async () => {
    const { store, log, ada, bob } = await pair();
    const other = new MemoryRoomLog(store);
    log.fateOf = () => "late";
    await other.append([put("topic", "theirs", { from: "Eve" })]);
    // The change of the other node is not known here yet, so this one conflicts, and waits for it.
    assert.deepEqual(await ada.hear(chat("before"), setTopic("mine"), chat("after")), []);
    log.fateOf = () => "arrives";
    log.deliver();
    await idle();
    assert.deepEqual(pick(ada.take(), "type", "id", "changes"), [
      ["set", undefined, { topic: "theirs" }],
      ["ack", "before", undefined],
      ["ack", "mine", undefined],
      ["ack", "after", undefined],
    ]);
    assert.deepEqual(
      bob.take().map(({ changes, message }) => changes ?? message),
      [{ topic: "theirs" }, "before", { topic: "mine" }, "after"],
    );
    await other.close();
  });

  test("is not decided again when its client is gone", async () => {
    const { store, log, fixture, ada, bob } = await pair();
    const other = new MemoryRoomLog(store);
    log.fateOf = () => "late";
    await other.append([put("topic", "theirs", { from: "Eve" })]);
    assert.deepEqual(await ada.hear(setTopic("mine")), []);
    await ada.vanish();
    log.fateOf = () => "arrives";
    log.deliver();
    await idle();
    assert.deepEqual(pick(bob.take(), "changes"), [[{ topic: "theirs" }]]);
    // Its connection has departed: its session waits for it.
    fixture.now += fixture.limits.awayMs;
    fixture.hub.sweep();
    assert.deepEqual(pick(await bob.hear(), "username", "state"), [["Ada", "left"]]);
    await other.close();
  });

  test("is refused as busy when the state changes eight times meanwhile, and settles", async () => {
    const { store, log, ada } = await pair();
    const other = new MemoryRoomLog(store);
    let changes = 0;
    log.beforeAppend = async (entries) => {
      if (entries.every(({ kind }) => kind !== "set")) return;
      changes += 1;
      await other.append([put("topic", `${changes}`, { from: "Eve" })]);
    };
    const told = await ada.hear(setTopic("mine"), ping);
    assert.deepEqual(
      pick(
        told.filter(({ type }) => type !== "set"),
        "type",
        "id",
        "code",
      ),
      [
        ["error", "mine", "busy"],
        ["pong", "ping", undefined],
      ],
    );
    assert.equal(changes, 8);
    await other.close();
  });

  test("that conflicts with a change which never arrives here is decided again when the room is opened again", async () => {
    const { store, log, fixture, ada } = await pair();
    const other = new MemoryRoomLog(store);
    log.fateOf = () => "lost";
    await other.append([put("topic", "theirs", { from: "Eve" })]);
    assert.deepEqual(await ada.hear(setTopic("mine"), ping), []);
    log.fateOf = () => "arrives";
    await waitForArrival(fixture);
    assert.deepEqual(pick(ada.take(), "type", "id"), [
      ["resync", undefined],
      ["ack", "mine"],
      ["pong", "ping"],
    ]);
    await other.close();
  });

  test("sent again after it was stored is a duplicate, whatever changed since", async () => {
    const { ada, bob } = await pair();
    await ada.hear(setTopic("one"));
    await bob.hear(setTopic("two"));
    assert.deepEqual(pick(await ada.hear(setTopic("one")), "type", "id", "duplicate").at(-1), ["ack", "one", true]);
  });
});

import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import { FakeLink, HubFixture, type Message, pick } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { seededRandom } from "../../../../test/seed.ts";
import { idle, turn } from "../../../../test/until.ts";
import { MemoryRoomLog } from "../adapters/memory/mod.ts";
import { type Command, refuse } from "../core/mod.ts";
import { type AppendResult, type NewEntry, RoomLogError } from "./ports/room-log.ts";

failOnLeaks();

const chat = (message: string, id?: string, room = "lobby"): Command =>
  ({ type: "chat", message, room, ...(id === undefined ? {} : { id }) }) as const;

describe("Hub: joining and leaving", () => {
  test("join tells the version 1 newcomer and the room's members, and nobody else", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.seedMember("Ada", "lobby");
    const elsewhere = await fixture.seedMember("Eve", "kitchen");
    const bob = fixture.connect();
    assert.deepEqual(await bob.hear({ type: "join", room: "lobby", username: "Bob" }), [
      { type: "notification", message: "Bob joined lobby" },
    ]);
    assert.deepEqual(ada.take(), [{ type: "notification", message: "Bob joined lobby" }]);
    assert.deepEqual(elsewhere.take(), []);
  });

  test("join gives a version 1 newcomer no earlier messages", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const bob = fixture.connect();
    ada.ask(chat("before"));
    bob.ask({ type: "join", room: "lobby", username: "Bob" });
    await idle();
    assert.deepEqual(pick(bob.take(), "type", "message"), [["notification", "Bob joined lobby"]]);
    assert.deepEqual(pick(ada.take(), "type"), [["ack"], ["presence"]]);
  });

  test("join in version 1 leaves the previous room", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.seedMember("Ada", "lobby");
    const bob = await fixture.seedMember("Bob", "lobby");
    ada.take();
    assert.deepEqual(pick(await bob.hear({ type: "join", room: "kitchen", username: "Bob" }), "message"), [
      ["Bob joined kitchen"],
    ]);
    assert.deepEqual(pick(ada.take(), "message"), [["Bob left lobby"]]);
    ada.ask({ type: "chat", message: "hi" });
    await idle();
    assert.deepEqual(bob.take(), []);
  });

  test("join in version 1 under a new name leaves the room under the old name", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.seedMember("Ada", "lobby");
    const bob = await fixture.seedMember("Bob", "lobby");
    ada.take();
    await bob.hear({ type: "join", room: "lobby", username: "Rob" });
    assert.deepEqual(pick(ada.take(), "message"), [["Bob left lobby"], ["Rob joined lobby"]]);
    // The old name is free again.
    await fixture.seedMember("Bob", "lobby");
  });

  test("leave is acked in version 2, and the others are told", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    ada.take();
    assert.deepEqual(await bob.hear({ type: "leave", id: "l", room: "lobby" }), [
      { type: "ack", id: "l", room: "lobby" },
    ]);
    assert.deepEqual(ada.take(), [{ type: "presence", room: "lobby", username: "Bob", state: "left" }]);
    assert.deepEqual(pick(await bob.hear(chat("hi", "c")), "type", "id", "code"), [["error", "c", "not-joined"]]);
  });

  test("leave sends everything said before it first", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    ada.ask(chat("before"));
    await Promise.resolve();
    bob.ask({ type: "leave", id: "l", room: "lobby" });
    await idle();
    assert.deepEqual(pick(bob.take(), "type", "message", "id"), [
      ["chat", "before", undefined],
      ["ack", undefined, "l"],
    ]);
  });

  test("gone() in version 1 leaves the room and frees the name at once", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.seedMember("Bob", "lobby");
    ada.take();
    await bob.vanish();
    assert.deepEqual(pick(ada.take(), "room", "username", "state"), [["lobby", "Bob", "left"]]);
    await fixture.seedMember("BOB", "lobby");
  });

  test("gone() in version 2 leaves every room after awayMs, and frees the name after resumeMs", async () => {
    const fixture = new HubFixture({ limits: { awayMs: 10_000, resumeMs: 120_000 } });
    const ada = await fixture.member("Ada", "lobby", "kitchen");
    const bob = await fixture.member("Bob", "lobby", "kitchen");
    ada.take();
    await bob.vanish();
    await fixture.pass(9_999);
    assert.deepEqual(ada.take(), []);
    assert.deepEqual(await fixture.members("lobby"), ["Ada", "Bob"]);
    await fixture.pass(1);
    assert.deepEqual(pick(ada.take(), "room", "username", "state"), [
      ["lobby", "Bob", "left"],
      ["kitchen", "Bob", "left"],
    ]);
    assert.deepEqual(await fixture.members("lobby"), ["Ada"]);
    await fixture.pass(109_999);
    assert.equal(await fixture.claim("bob"), false);
    await fixture.pass(1);
    assert.deepEqual(ada.take(), []);
    await fixture.member("BOB", "lobby");
  });

  test("bye leaves every room and frees the name at once, after the answers to earlier requests", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby", "kitchen");
    const bob = await fixture.member("Bob", "lobby", "kitchen");
    ada.take();
    const told = await bob.hear(
      chat("last", "1"),
      { type: "who", id: "2", room: "lobby" },
      { type: "bye" },
      chat("no"),
    );
    assert.deepEqual(pick(told, "type", "id"), [
      ["ack", "1"],
      ["who", "2"],
    ]);
    assert.equal(bob.link.closes.length, 1);
    assert.deepEqual(pick(ada.take(), "type", "room", "message", "state"), [
      ["chat", "lobby", "last", undefined],
      ["presence", "lobby", undefined, "left"],
      ["presence", "kitchen", undefined, "left"],
    ]);
    await fixture.member("Bob", "lobby");
  });

  test("gone() of many clients at once reaches a member in one write", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const others = await Promise.all(Array.from({ length: 20 }, (_, i) => fixture.seedMember(`user${i}`, "lobby")));
    ada.take();
    const writes = ada.link.sent.length;
    for (const other of others) other.client.gone();
    await idle();
    assert.equal(ada.take().length, 20);
    assert.equal(ada.link.sent.length, writes + 1);
  });

  test("join of a joined room changes nothing and tells nobody", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    ada.take();
    const [again] = await bob.hear({ type: "join", id: "j", room: "LOBBY", username: "BOB" });
    assert.deepEqual([again?.type, again?.room, again?.count], ["joined", "lobby", 2]);
    assert.deepEqual(ada.take(), []);
    await bob.hear({ type: "leave", room: "lobby" });
    assert.equal(pick(ada.take(), "state").length, 1);
    await ada.vanish();
    // The room has no users left. The next join opens it again. It keeps the first spelling of its name.
    const [joined] = await fixture.connect().hear({ type: "join", room: "Lobby", username: "Eve" });
    assert.equal(joined?.message, "Eve joined lobby");
  });

  test("gone() during a join leaves the room and frees the name", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const bob = fixture.connect();
    bob.ask({ type: "join", room: "lobby", username: "Bob" });
    await bob.vanish();
    const states = pick(ada.take(), "state");
    assert.ok(states.length === 0 || states.length === 2, JSON.stringify(states));
    assert.deepEqual(await fixture.members("lobby"), ["Ada"]);
    assert.equal(await fixture.claim("bob"), true);
  });

  test("join and hello refuse a name in use in any spelling, and the room is not told", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const second = fixture.connect();
    assert.deepEqual(pick(await second.hear({ type: "join", room: "lobby", username: "ADA" }), "type", "code"), [
      ["error", "name-in-use"],
    ]);
    const greeted = await fixture.connect().hear({ type: "hello", id: "h", version: 2, username: "ada" });
    assert.deepEqual(pick(greeted, "type", "id", "code"), [["error", "h", "name-in-use"]]);
    assert.deepEqual(ada.take(), []);
    // The client can still join under another name.
    assert.deepEqual(pick(await second.hear({ type: "join", room: "lobby", username: "Eve" }), "message"), [
      ["Eve joined lobby"],
    ]);
  });

  test("join and hello refuse a look-alike of a name in use until its owner is gone, in both directions", async () => {
    for (const [name, other] of [
      ["Bob", "\u0412ob"],
      ["\u0412ob", "bob"],
    ] as const) {
      const fixture = new HubFixture();
      const first = await fixture.member(name, "lobby");
      const second = fixture.connect();
      assert.deepEqual(pick(await second.hear({ type: "join", room: "lobby", username: other }), "code", "message"), [
        ["name-in-use", `The name ${other} looks like another that is in use`],
      ]);
      const greeted = await fixture.connect().hear({ type: "hello", id: "h", version: 2, username: other });
      assert.deepEqual(pick(greeted, "type", "id", "code"), [["error", "h", "name-in-use"]]);
      assert.deepEqual(first.take(), []);
      await first.hear({ type: "bye" });
      assert.deepEqual(pick(await second.hear({ type: "join", room: "lobby", username: other }), "message"), [
        [`${other} joined lobby`],
      ]);
    }
  });

  test("join accepts a look-alike of the client's own name", async () => {
    const fixture = new HubFixture();
    const bob = await fixture.seedMember("Bob", "lobby");
    const heard = await bob.hear({ type: "join", room: "lobby", username: "\u0412ob" });
    assert.equal(heard.at(-1)?.message, "\u0412ob joined lobby");
    const eve = fixture.connect();
    assert.deepEqual(pick(await eve.hear({ type: "join", room: "lobby", username: "bob" }), "code"), [["name-in-use"]]);
  });

  test("of two simultaneous claims of one name, one succeeds", async () => {
    const fixture = new HubFixture();
    const clients = [fixture.connect(), fixture.connect(), fixture.connect()];
    for (const client of clients) client.ask({ type: "join", room: "lobby", username: "Ada" });
    await idle();
    const types = clients.map((client) => client.take()[0]?.type);
    assert.deepEqual(types, ["notification", "error", "error"]);
  });

  test("__proto__ is an ordinary name and room", async () => {
    const fixture = new HubFixture();
    const proto = await fixture.member("__proto__", "__proto__", "constructor");
    const bob = await fixture.member("Bob", "__proto__");
    bob.take();
    await proto.hear(chat("hi", "1", "__proto__"));
    assert.deepEqual(pick(bob.take(), "room", "username", "message"), [["__proto__", "__proto__", "hi"]]);
    const [who] = await bob.hear({ type: "who", room: "__proto__" });
    assert.deepEqual(who?.members, ["__proto__", "Bob"]);
    const [rooms] = await bob.hear({ type: "rooms" });
    assert.deepEqual(rooms?.rooms, [
      { room: "__proto__", count: 2 },
      { room: "constructor", count: 1 },
    ]);
  });
});

describe("Hub: messages", () => {
  test("reach the members in one order, and are acked to their author in that order", async () => {
    const fixture = new HubFixture();
    const members = await Promise.all(["Ada", "Bob", "Eve"].map((name) => fixture.member(name, "lobby")));
    await idle();
    for (const member of members) member.take();
    for (let i = 0; i < 50; i += 1) {
      for (const [m, member] of members.entries()) member.ask(chat(`${m}.${i}`, `${i}`));
      if (i % 7 === 0) await turn();
    }
    await idle();
    const orders = members.map((member) => member.take().map(({ seq }) => seq));
    assert.deepEqual(
      orders[0],
      Array.from({ length: 150 }, (_, i) => i + 2),
    );
    assert.deepEqual(orders[1], orders[0]);
    assert.deepEqual(orders[2], orders[0]);
  });

  test("an ack takes the place of its message among the others' messages", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    ada.take();
    bob.ask(chat("one"));
    ada.ask(chat("two", "a"));
    bob.ask(chat("three"));
    await idle();
    assert.deepEqual(pick(ada.take(), "type", "seq", "prev", "message", "id"), [
      ["chat", 2, 1, "one", undefined],
      ["ack", 3, undefined, undefined, "a"],
      ["chat", 4, 3, "three", undefined],
    ]);
    assert.deepEqual(pick(bob.take(), "type", "seq"), [
      ["ack", 2],
      ["chat", 3],
      ["ack", 4],
    ]);
  });

  test("a duplicate is acked with the first position and not delivered again", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    ada.take();
    const [first] = await ada.hear(chat("hi", "x"));
    const [second, third] = await ada.hear(chat("hi", "x"), chat("other", "y"));
    assert.deepEqual(second, { ...first, duplicate: true });
    assert.deepEqual([third?.id, third?.seq], ["y", 3]);
    assert.deepEqual(pick(bob.take(), "message"), [["hi"], ["other"]]);
  });

  test("a duplicate in the same read is acked after the first ack", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const told = await ada.hear(chat("hi", "x"), chat("hi", "x"), chat("no", "x"));
    assert.deepEqual(pick(told, "type", "id", "duplicate", "code"), [
      ["ack", "x", undefined, undefined],
      ["ack", "x", true, undefined],
      ["error", "x", undefined, "id-reused"],
    ]);
  });

  test("duplicates among new messages are answered in the order of the requests", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    await ada.hear(chat("a", "1"), chat("b", "2"), chat("c", "3"));
    bob.take();
    bob.ask(chat("first"));
    ada.ask(chat("d", "4"), chat("a", "1"), chat("e", "5"), chat("x", "2"), chat("c", "3"), chat("f", "6"));
    await idle();
    const own = ada.take().filter(({ type }) => type !== "chat" && type !== "presence");
    assert.deepEqual(pick(own, "type", "id", "seq"), [
      ["ack", "4", 6],
      ["ack", "1", 2],
      ["ack", "5", 7],
      ["error", "2", undefined],
      ["ack", "3", 4],
      ["ack", "6", 8],
    ]);
    assert.deepEqual(pick(bob.take(), "seq"), [[5], [6], [7], [8]]);
  });

  test("ids of version 1 clients are ignored", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.seedMember("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    await ada.hear(chat("hi", "1"), chat("hi", "1"), chat("ho", "1"));
    assert.deepEqual(pick(bob.take(), "message"), [["hi"], ["hi"], ["ho"]]);
  });

  test("a failed append is answered with errors in order, and the next append succeeds", async (context) => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const failure = new RoomLogError("failed", "broken");
    const failed = async (entries: readonly NewEntry[]): Promise<readonly AppendResult[]> =>
      entries.map(() => ({ type: "failed", error: failure }));
    context.mock.method(fixture.log, "append", failed, { times: 1 });
    const told = await ada.hear(chat("a", "1"), chat("b", "2"), { type: "ping", id: "3" });
    assert.deepEqual(pick(told, "type", "id", "code"), [
      ["error", "1", "internal"],
      ["error", "2", "internal"],
      ["pong", "3", undefined],
    ]);
    assert.deepEqual(fixture.reported, [failure]);
    assert.deepEqual(pick(await ada.hear(chat("c", "4")), "type", "seq"), [["ack", 2]]);
  });

  test("a failed read is answered with an error, before the answers held behind it", async (context) => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    context.mock.method(fixture.log, "read", () => Promise.reject(new Error("no")), { times: 1 });
    const told = await ada.hear({ type: "history", id: "h", room: "lobby" }, { type: "ping", id: "p" });
    assert.deepEqual(pick(told, "type", "id", "code"), [
      ["error", "h", "internal"],
      ["pong", "p", undefined],
    ]);
    assert.equal(fixture.reported.length, 1);
  });

  test("a failed release of a room is reported", async (context) => {
    const fixture = new HubFixture();
    const failure = new Error("no");
    context.mock.method(fixture.log, "release", () => Promise.reject(failure));
    const ada = await fixture.member("Ada", "lobby");
    await ada.vanish();
    assert.deepEqual(fixture.reported, [failure]);
  });
});

test("Hub removes a client from a room when its join fails", async () => {
  const log = new MemoryRoomLog();
  const chat = new HubFixture({ log });
  const ann = await chat.member("ann", "lobby");
  const bob = await chat.member("bob");
  const read = log.read.bind(log);
  log.read = () => Promise.reject(new Error("the disk is gone"));
  const told = await bob.hear({ type: "join", id: "j", room: "lobby", history: 10 });
  assert.deepEqual(pick(told, "type", "id", "code"), [["error", "j", "internal"]]);
  log.read = read;
  assert.deepEqual(pick(ann.take(), "type", "username", "state"), [
    ["presence", "bob", "joined"],
    ["presence", "bob", "left"],
  ]);
  assert.deepEqual(pick(await bob.hear({ type: "chat", room: "lobby", message: "x" }), "code"), [["not-joined"]]);
  assert.deepEqual(pick(await bob.hear({ type: "join", id: "k", room: "lobby" }), "type", "count"), [["joined", 2]]);
});

describe("Hub: answers", () => {
  test("leave in the order of the requests", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby", "kitchen");
    const told = await ada.hear(
      chat("one", "1"),
      { type: "history", id: "2", room: "lobby" },
      chat("two", "3"),
      { type: "who", id: "4", room: "lobby" },
      refuse("invalid-json", "Invalid JSON"),
      { type: "join", id: "5", room: "cellar", history: 5 },
      chat("three", "6", "cellar"),
      chat("four", "7", "kitchen"),
      chat("five", "8", "lobby"),
      { type: "leave", id: "9", room: "kitchen" },
      chat("six", "10", "kitchen"),
      { type: "rooms", id: "11" },
      { type: "ping", id: "12" },
    );
    assert.deepEqual(
      told.map(({ id }) => id),
      ["1", "2", "3", "4", undefined, "5", "6", "7", "8", "9", "10", "11", "12"],
    );
  });

  test("leave in that order also for messages to several rooms, one of them busy", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "kitchen", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    ada.take();
    // The lobby has a pending event before the kitchen has one.
    bob.ask(chat("first"));
    ada.ask(chat("a", "1", "kitchen"), chat("b", "2", "lobby"), chat("a", "1", "kitchen"), chat("c", "4", "lobby"));
    await idle();
    const own = ada.take().filter(({ type }) => type === "ack");
    assert.deepEqual(pick(own, "id", "room", "duplicate"), [
      ["1", "kitchen", undefined],
      ["2", "lobby", undefined],
      ["1", "kitchen", true],
      ["4", "lobby", undefined],
    ]);
  });

  test("to a join leave before the room's later messages", async () => {
    const log = new MemoryRoomLog();
    const gate = Promise.withResolvers<void>();
    const read = log.read.bind(log);
    log.read = async (room, options) => {
      await gate.promise;
      return read(room, options);
    };
    const fixture = new HubFixture({ log });
    const ada = await fixture.seedMember("Ada", "lobby");
    const bob = fixture.connect();
    await bob.hear({ type: "hello", version: 2, username: "Bob" });
    bob.ask({ type: "join", room: "lobby", history: 5 });
    await idle();
    ada.ask({ type: "chat", message: "while" });
    await idle();
    assert.deepEqual(bob.take(), []);
    gate.resolve();
    await idle();
    const [joined, said] = bob.take();
    assert.deepEqual(
      [joined?.type, pick(joined?.entries as never, "type"), joined?.position],
      ["joined", [["set"]], { epoch: positionEpoch(joined), seq: 1 }],
    );
    assert.deepEqual([said?.type, said?.message, said?.seq], ["chat", "while", 2]);
  });

  test("to asynchronous requests leave one per turn, with other clients in between", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    await idle();
    ada.take();
    ada.ask(...Array.from({ length: 200 }, () => ({ type: "rooms" }) as const));
    await turn();
    bob.ask({ type: "who", id: "b", room: "lobby" });
    await turn();
    await turn();
    assert.equal(bob.take().length, 1);
    assert.ok(ada.take().length < 10);
    await idle();
    assert.ok(ada.take().length >= 190);
  });

  test("to small requests and refusals leave at most 64 per turn, with other clients in between", async () => {
    const fixture = new HubFixture();
    const eve = await fixture.member("Eve");
    const ada = await fixture.member("Ada");
    const requests = Array.from({ length: 100 }, (_, i): readonly Command[] => [
      { type: "ping", id: `${i}` },
      { type: "leave", room: "no such room" },
    ]).flat();
    eve.ask(...requests);
    const first = eve.take();
    assert.ok(first.length <= 64);
    ada.ask({ type: "ping" });
    assert.deepEqual(pick(ada.take(), "type"), [["pong"]]);
    await idle();
    const all = [...first, ...eve.take()];
    assert.deepEqual(
      all.filter(({ type }) => type === "pong").map(({ id }) => id),
      requests.flatMap(({ id }) => id ?? []),
    );
    assert.equal(all.length, requests.length);
  });

  test("more requests than requestQueueMax pause the link until they are answered", async () => {
    const fixture = new HubFixture({ limits: { requestQueueMax: 4 } });
    const ada = await fixture.member("Ada", "lobby");
    ada.ask({ type: "rooms" }, ...Array.from({ length: 4 }, () => ({ type: "ping" }) as const));
    assert.equal(ada.link.isPaused, false);
    ada.ask({ type: "ping" });
    assert.equal(ada.link.isPaused, true);
    await idle();
    assert.equal(ada.link.isPaused, false);
    assert.equal(ada.take().length, 6);
  });

  test("more bytes than requestQueueBytesMax pause the link until the queue is empty", async () => {
    const fixture = new HubFixture({ limits: { requestQueueBytesMax: 1_000 } });
    const ada = await fixture.member("Ada", "lobby");
    const long = chat("x".repeat(400));
    for (let round = 0; round < 2; round += 1) {
      ada.ask({ type: "rooms" }, long, long);
      assert.equal(ada.link.isPaused, false);
      ada.ask(long);
      assert.equal(ada.link.isPaused, true);
      await idle();
      assert.equal(ada.link.isPaused, false);
      assert.equal(ada.take().length, 4);
    }
  });

  test("messages past inFlightMax wait for earlier commits", async () => {
    const fixture = new HubFixture({ limits: { inFlightMax: 2, requestQueueMax: 3 } });
    const ada = await fixture.member("Ada", "lobby");
    ada.ask(...Array.from({ length: 6 }, (_, i) => chat(`${i}`, `${i}`)));
    assert.equal(ada.link.isPaused, true);
    await idle();
    assert.deepEqual(
      ada.take().map(({ id }) => id),
      ["0", "1", "2", "3", "4", "5"],
    );
    assert.equal(ada.link.isPaused, false);
  });
});

describe("Hub: history", () => {
  test("join returns the newest entries, and whether there are more", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    await ada.hear(chat("one"), chat("two"), chat("three"));
    const bob = await fixture.member("Bob");
    const [joined] = await bob.hear({ type: "join", room: "lobby", history: 2 });
    assert.deepEqual(pick(joined?.entries as never, "message", "seq", "prev"), [
      ["two", 3, 2],
      ["three", 4, 3],
    ]);
    assert.equal(joined?.more, true);
    assert.equal("recovered" in (joined ?? {}), false);
  });

  test("join with after returns all missed entries, or says that it does not", async () => {
    const fixture = new HubFixture({ limits: { historyMax: 3 } });
    const ada = await fixture.member("Ada", "lobby");
    const [first] = await (await fixture.member("Eve")).hear({ type: "join", room: "lobby" });
    const epoch = positionEpoch(first);
    await ada.hear(...Array.from({ length: 5 }, (_, i) => chat(`m${i + 1}`)));
    const resume = async (after: { epoch: string; seq: number }, history?: number) => {
      const bob = await fixture.member(`Bob${Math.random()}`);
      const ask = { type: "join", room: "lobby", after, ...(history === undefined ? {} : { history }) } as const;
      const [joined] = await bob.hear(ask);
      await bob.vanish();
      const entries = joined?.entries as readonly { seq: number }[];
      return [joined?.recovered, entries.map(({ seq }) => seq)];
    };
    assert.deepEqual(await resume({ epoch, seq: 6 }), [true, []]);
    assert.deepEqual(await resume({ epoch, seq: 3 }), [true, [4, 5, 6]]);
    assert.deepEqual(await resume({ epoch, seq: 3 }, 2), [false, [5, 6]]);
    assert.deepEqual(await resume({ epoch, seq: 2 }), [false, [4, 5, 6]]);
    assert.deepEqual(await resume({ epoch, seq: 7 }), [false, [4, 5, 6]]);
    assert.deepEqual(await resume({ epoch: "other", seq: 6 }), [false, [4, 5, 6]]);
  });

  test("history pages in both directions", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    await ada.hear(...Array.from({ length: 6 }, (_, i) => chat(`m${i + 1}`)));
    const page = async (bounds: { before?: number; after?: number; limit?: number }) => {
      const [answer] = await ada.hear({ type: "history", room: "lobby", ...bounds });
      return [seqsOf(answer), answer?.more];
    };
    assert.deepEqual(await page({}), [[1, 2, 3, 4, 5, 6, 7], false]);
    assert.deepEqual(await page({ limit: 2 }), [[6, 7], true]);
    assert.deepEqual(await page({ before: 3, limit: 2 }), [[1, 2], false]);
    assert.deepEqual(await page({ before: 4, limit: 2 }), [[2, 3], true]);
    assert.deepEqual(await page({ after: 2, limit: 2 }), [[3, 4], true]);
    assert.deepEqual(await page({ after: 5, limit: 2 }), [[6, 7], false]);
    assert.deepEqual(await page({ after: 7 }), [[], false]);
    assert.deepEqual(await page({ before: 1 }), [[], false]);
    assert.deepEqual(await page({ limit: 0 }), [[], true]);
  });

  test("a page that does not fit the outbox is cut, with more set", async () => {
    const fixture = new HubFixture({ limits: { outboxBytesMax: 8_000 } });
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    const [position] = pick(await bob.hear({ type: "join", room: "lobby" }), "position") as [[{ epoch: string }]];
    await ada.hear(...Array.from({ length: 8 }, () => chat("x".repeat(500))));
    bob.take();
    bob.link.isStalled = true;
    const [newest] = await bob.hear({ type: "history", room: "lobby" });
    assert.deepEqual([seqsOf(newest), newest?.more], [[7, 8, 9], true]);
    bob.link.bufferedBytes = 0;
    const [oldest] = await bob.hear({ type: "history", room: "lobby", after: 1 });
    assert.deepEqual([seqsOf(oldest), oldest?.more], [[2, 3, 4], true]);
    bob.link.bufferedBytes = 0;
    const after = { epoch: position[0].epoch, seq: 0 };
    const [joined] = await bob.hear({ type: "join", room: "lobby", after });
    assert.deepEqual([seqsOf(joined), joined?.more, joined?.recovered], [[7, 8, 9], true, false]);
    assert.equal(bob.client.isGone, false);
  });
});

describe("Hub: long pages", () => {
  test("end with the last entry that fits", async () => {
    const fixture = new HubFixture({ limits: { outboxBytesMax: 12_800 } });
    const ada = await fixture.member("Ada", "lobby");
    // Each character takes six bytes in JSON.
    await ada.hear(...Array.from({ length: 20 }, () => chat("\u0001".repeat(150))));
    const [page] = await ada.hear({ type: "history", room: "lobby" });
    assert.deepEqual([seqsOf(page), page?.more], [[19, 20, 21], true]);
  });

  test("read no more characters of the log than an answer holds", async () => {
    const log = new MemoryRoomLog();
    const fixture = new HubFixture({ log, limits: { outboxBytesMax: 4_000 } });
    const ada = await fixture.member("Ada", "lobby");
    const [read, search] = [mock.method(log, "read"), mock.method(log, "search")];
    await ada.hear({ type: "history", room: "lobby" }, { type: "search", room: "lobby", query: "x" });
    await ada.hear({ type: "join", room: "lobby", history: 9 });
    const bounds = [...read.mock.calls.map((call) => call.arguments[1]), search.mock.calls[0]?.arguments[2]];
    assert.deepEqual(
      bounds.map((options) => options?.charactersMax),
      [1_000, 1_000, 1_000],
    );
  });
});

describe("Hub: sessions", () => {
  test("takeover moves name and rooms, tells nobody, and closes the old connection", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby", "kitchen");
    const old = fixture.connect();
    const [hello] = await old.hear({ type: "hello", version: 2, username: "Bob" });
    await old.hear({ type: "join", room: "lobby" }, { type: "join", room: "kitchen" });
    ada.take();
    const fresh = fixture.connect();
    const [taken, ...rest] = await fresh.hear({
      type: "hello",
      id: "h",
      version: 2,
      session: hello?.session as string,
    });
    assert.deepEqual(
      [taken?.type, taken?.id, taken?.username, taken?.rooms],
      ["hello", "h", "Bob", ["lobby", "kitchen"]],
    );
    assert.equal(taken?.session, hello?.session);
    assert.deepEqual(rest, []);
    assert.deepEqual(old.take().at(-1)?.code, "replaced");
    assert.deepEqual(old.link.closes, [
      { code: "replaced", reconnect: false, message: "Another connection took this session" },
    ]);
    assert.deepEqual(ada.take(), []);

    await ada.hear(chat("hi"));
    assert.deepEqual(pick(fresh.take(), "message"), [["hi"]]);
    assert.deepEqual(old.take(), []);
    assert.deepEqual(pick(await fresh.hear(chat("ho", "1", "kitchen")), "type", "seq"), [["ack", 2]]);

    // The gateway reports the end of the old connection later. Nothing happens.
    await old.vanish();
    assert.deepEqual(pick(ada.take(), "type", "message"), [["chat", "ho"]]);
    const [who] = await ada.hear({ type: "who", room: "lobby" });
    assert.deepEqual(who?.members, ["Ada", "Bob"]);

    await fresh.hear({ type: "bye" });
    assert.deepEqual(pick(ada.take(), "username", "state"), [
      ["Bob", "left"],
      ["Bob", "left"],
    ]);
    await fixture.member("Bob", "lobby");
  });

  test("takeover finishes the old connection's requests first, and stores a resent message once", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const old = fixture.connect();
    const [hello] = await old.hear({ type: "hello", version: 2, username: "Bob" }, { type: "join", room: "lobby" });
    ada.take();
    old.ask(chat("doubtful", "d"));
    const fresh = fixture.connect();
    fresh.ask({ type: "hello", version: 2, session: hello?.session as string }, chat("doubtful", "d"));
    await idle();
    assert.deepEqual(pick(ada.take(), "type", "message"), [["chat", "doubtful"]]);
    assert.deepEqual(pick(fresh.take(), "type", "duplicate"), [
      ["hello", undefined],
      ["ack", true],
    ]);
  });

  test("takeover goes to the latest attempt, also if an earlier one arrives after it", async () => {
    const fixture = new HubFixture();
    const bob = fixture.connect();
    const [hello] = await bob.hear({ type: "hello", version: 2, username: "Bob" });
    const ask = (attempt?: number) =>
      ({ type: "hello", version: 2, session: hello?.session as string, ...(attempt && { attempt }) }) as const;
    const [first, third, second, uncounted] = Array.from({ length: 4 }, () => fixture.connect());
    assert.ok(first && second && third && uncounted);
    // At once: the third attempt overtakes the first while that one is under way.
    first.ask(ask(1));
    third.ask(ask(3));
    second.ask(ask(2));
    await idle();
    assert.deepEqual(pick(first.take(), "code"), [["replaced"]]);
    assert.equal(third.take()[0]?.username, "Bob");
    assert.equal(second.take()[0]?.code, "session-unknown");
    assert.equal((await second.hear(ask(3)))[0]?.code, "session-unknown");
    assert.equal((await uncounted.hear(ask()))[0]?.username, "Bob");
    assert.equal((await fixture.connect().hear({ ...ask(), session: "" }))[0]?.code, "session-unknown");
    assert.equal((await second.hear(ask(4)))[0]?.username, "Bob");
  });

  test("takeover of a connection that is going waits for its requests", async () => {
    const log = new MemoryRoomLog();
    const fixture = new HubFixture({ log });
    const ada = await fixture.member("Ada", "lobby");
    const bob = fixture.connect();
    const [hello] = await bob.hear({ type: "hello", version: 2, username: "Bob" }, { type: "join", room: "lobby" });
    const append = log.append.bind(log);
    const disk = Promise.withResolvers<void>();
    log.append = async (entries) => {
      await disk.promise;
      return append(entries);
    };
    bob.ask(chat("slow"));
    await bob.vanish();
    const fresh = fixture.connect();
    fresh.ask({ type: "hello", version: 2, session: hello?.session as string });
    await idle();
    assert.deepEqual(fresh.take(), []);
    disk.resolve();
    await idle();
    assert.deepEqual(pick(fresh.take(), "type", "username"), [["hello", "Bob"]]);
    assert.deepEqual(pick(ada.take(), "type", "message", "state"), [
      ["presence", undefined, "joined"],
      ["chat", "slow", undefined],
    ]);
  });

  test("takeover releases the connection's previous name", async () => {
    const fixture = new HubFixture();
    const old = fixture.connect();
    const [hello] = await old.hear({ type: "hello", version: 2, username: "Bob" });
    const fresh = await fixture.seedMember("Rob", "lobby");
    await fresh.hear({ type: "leave" });
    const [taken] = await fresh.hear({ type: "hello", version: 2, session: hello?.session as string });
    assert.equal(taken?.username, "Bob");
    assert.equal(await fixture.claim("rob"), true);
  });

  test("takeover by a connection that then vanishes leaves the session waiting", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const old = fixture.connect();
    const [hello] = await old.hear({ type: "hello", version: 2, username: "Bob" }, { type: "join", room: "lobby" });
    ada.take();
    const fresh = fixture.connect();
    fresh.ask({ type: "hello", version: 2, session: hello?.session as string });
    await fresh.vanish();
    await old.vanish();
    assert.deepEqual(ada.take(), []);
    const last = fixture.connect();
    const [taken] = await last.hear({ type: "hello", version: 2, session: hello?.session as string });
    assert.deepEqual([taken?.username, taken?.rooms], ["Bob", ["lobby"]]);
    await last.vanish();
    await fixture.pass(fixture.limits.awayMs);
    assert.deepEqual(pick(ada.take(), "username", "state"), [["Bob", "left"]]);
    await fixture.pass(fixture.limits.resumeMs);
    await fixture.member("Bob", "lobby");
  });

  test("hello is refused a second time and after a join", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    assert.equal((await ada.hear({ type: "hello", version: 2 }))[0]?.code, "invalid-request");
    const bob = await fixture.seedMember("Bob", "lobby");
    assert.equal((await bob.hear({ type: "hello", version: 2 }))[0]?.code, "invalid-request");
    await bob.hear({ type: "leave" });
    const [hello] = await bob.hear({ type: "hello", version: 2 });
    assert.deepEqual([hello?.type, hello?.username], ["hello", "Bob"]);
  });

  test("hello changes to version 2 also when it is refused: answers, ids and events are those of version 2", async () => {
    const fixture = new HubFixture();
    const late = await fixture.seedMember("Late", "lobby");
    const early = fixture.connect();
    assert.equal((await early.hear({ type: "hello", version: 3 }))[0]?.code, "unsupported-version");
    await early.hear({ type: "join", room: "lobby", username: "Early" });
    late.take();
    assert.equal((await late.hear({ type: "hello", version: 2 }))[0]?.code, "invalid-request");
    for (const client of [early, late]) {
      client.take();
      assert.deepEqual(pick(await client.hear(chat("hi", "m1")), "type", "id", "duplicate"), [
        ["ack", "m1", undefined],
      ]);
      assert.deepEqual(pick(await client.hear(chat("hi", "m1")), "type", "id", "duplicate"), [["ack", "m1", true]]);
      const [who] = (await client.hear({ type: "who", id: "w", room: "lobby" })).slice(-1);
      assert.deepEqual([who?.type, who?.id, who?.count], ["who", "w", 2]);
    }
    assert.deepEqual(pick(early.take(), "type", "seq"), [["chat", 3]]);
  });
});

describe("Connection.finish()", () => {
  test("answers queued requests, then closes, and the room is told", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    ada.take();
    bob.ask(chat("last", "1"), { type: "history", id: "2", room: "lobby" }, { type: "ping", id: "3" });
    bob.client.finish();
    await idle();
    assert.deepEqual(
      bob.take().map(({ id }) => id),
      ["1", "2", "3"],
    );
    assert.equal(bob.link.closes.length, 1);
    bob.client.gone();
    await fixture.pass(fixture.limits.awayMs);
    assert.deepEqual(pick(ada.take(), "type"), [["chat"], ["presence"]]);
  });

  test("does not wait for a client that does not read", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    ada.link.bufferedBytes = 100_000;
    ada.ask({ type: "ping" }, { type: "ping" });
    ada.client.finish();
    await idle();
    assert.equal(ada.link.closes.length, 1);
  });
});

describe("Hub: a slow reader", () => {
  test("is closed past outboxBytesMax and may reconnect; the others get everything", async () => {
    const fixture = new HubFixture({ limits: { outboxBytesMax: 10_000 } });
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    const slow = await fixture.member("Slow", "lobby");
    await idle();
    for (const member of [ada, bob, slow]) member.take();
    slow.link.isStalled = true;
    for (let i = 0; i < 40; i += 1) {
      ada.ask(chat("x".repeat(500)));
      await idle();
    }
    await idle();
    assert.equal(bob.take().filter(({ type }) => type === "chat").length, 40);
    const told = slow.take();
    assert.deepEqual([told.at(-1)?.type, told.at(-1)?.code, told.at(-1)?.reconnect], ["bye", "slow-consumer", true]);
    assert.equal(slow.link.closes.length, 1);
    assert.ok(slow.link.bufferedBytes < 11_000);
    await fixture.pass(fixture.limits.awayMs);
    assert.deepEqual(
      pick(
        ada.take().filter(({ type }) => type === "presence"),
        "username",
        "state",
      ),
      [["Slow", "left"]],
    );
  });

  test("is not closed for one long batch", async () => {
    const fixture = new HubFixture({ limits: { outboxBytesMax: 10_000 } });
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    bob.link.isStalled = true;
    await ada.hear(...Array.from({ length: 40 }, () => chat("x".repeat(500))));
    assert.equal(bob.client.isGone, false);
    assert.equal(bob.take().length, 40);
  });

  test("affects only itself when it is the author", async () => {
    const fixture = new HubFixture({ limits: { outboxBytesMax: 2_000 } });
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    await idle();
    bob.take();
    ada.link.isStalled = true;
    for (let i = 0; i < 100; i += 1) ada.ask(chat(`${i}`, `${i}`));
    await idle();
    ada.ask(chat("more"));
    await idle();
    assert.equal(ada.client.isGone, true);
    await fixture.pass(fixture.limits.awayMs);
    assert.deepEqual(pick(bob.take(), "type", "message").at(-1), ["presence", undefined]);
    assert.equal(fixture.reported.length, 0);
  });

  for (const version of [1, 2]) {
    test(`of version ${version} that is closed by its own acks does nothing more`, async () => {
      const fixture = new HubFixture({ limits: { outboxBytesMax: 20_000 } });
      const ada = await fixture.member("Ada", "lobby");
      const slow = await (version === 1 ? fixture.seedMember("Slow", "lobby") : fixture.member("Slow", "lobby"));
      const kitchen = await fixture.member("Bob", "kitchen");
      slow.link.isStalled = true;
      ada.ask(...Array.from({ length: 40 }, () => chat("x".repeat(600))));
      slow.ask(chat("mine"), { type: "join", room: "kitchen", username: "Slow" });
      ada.ask(chat("last"));
      await idle();
      assert.equal(slow.client.isGone, true);
      assert.deepEqual(pick(kitchen.take(), "type"), []);
      assert.deepEqual(fixture.reported, []);
    });
  }

  test("gets no answers until it has read, and then gets them in order", async () => {
    const fixture = new HubFixture({ limits: { requestQueueMax: 2 } });
    const ada = await fixture.member("Ada", "lobby");
    ada.link.bufferedBytes = 65_536;
    ada.ask(...Array.from({ length: 4 }, (_, i) => ({ type: "ping", id: `${i}` }) as const));
    await idle();
    assert.deepEqual(ada.take(), []);
    assert.equal(ada.link.isPaused, true);
    ada.link.bufferedBytes = 65_535;
    ada.client.drained();
    assert.deepEqual(pick(ada.take(), "id"), [["0"], ["1"], ["2"], ["3"]]);
    assert.equal(ada.link.isPaused, false);
  });
});

describe("Hub.sweep()", () => {
  const PING = { pingMs: 25_000, pongMs: 10_000, joinTimeoutMs: 60_000 };

  test("pings a silent version 2 client, and dismisses it without an answer", async () => {
    const fixture = new HubFixture({ limits: PING });
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    ada.take();
    const hear = () => fixture.hub.heard(bob.client);
    fixture.now += 24_999;
    hear();
    fixture.hub.sweep();
    assert.deepEqual(ada.take(), []);
    fixture.now += 1;
    hear();
    fixture.hub.sweep();
    assert.deepEqual(ada.take(), [{ type: "ping" }]);
    fixture.now += 9_999;
    hear();
    fixture.hub.sweep();
    assert.equal(ada.client.isGone, false);
    fixture.now += 1;
    hear();
    fixture.hub.sweep();
    assert.deepEqual(pick(ada.take(), "type", "code", "reconnect"), [["bye", "ping-timeout", true]]);
    await fixture.pass(fixture.limits.awayMs);
    assert.deepEqual(pick(bob.take(), "username", "state"), [["Ada", "left"]]);
  });

  test("keeps a client that answers with anything", async () => {
    const fixture = new HubFixture({ limits: PING });
    const ada = await fixture.member("Ada", "lobby");
    for (let i = 0; i < 10; i += 1) {
      fixture.now += 25_000;
      fixture.hub.sweep();
      fixture.now += 9_999;
      fixture.hub.heard(ada.client);
      fixture.hub.sweep();
    }
    assert.equal(ada.take().filter(({ type }) => type === "ping").length, 10);
    assert.equal(ada.client.isGone, false);
  });

  test("uses the link's ping for version 1 if there is one, and does not ping other version 1 clients", async () => {
    const fixture = new HubFixture({ limits: PING });
    const seed = await fixture.seedMember("Ada", "lobby");
    const link = new FakeLink();
    link.ping = () => {
      link.pings += 1;
    };
    const web = fixture.connect(link);
    await web.hear({ type: "join", room: "lobby", username: "Bob" });
    fixture.now += 25_000;
    fixture.hub.sweep();
    fixture.now += 10_000;
    fixture.hub.sweep();
    assert.equal(link.pings, 1);
    assert.equal(web.client.isGone, true);
    fixture.now += 1_000_000;
    fixture.hub.sweep();
    assert.equal(seed.client.isGone, false);
    await idle();
  });

  test("dismisses a connection that joins no room in time", async () => {
    const fixture = new HubFixture({ limits: PING });
    const ada = fixture.connect();
    await fixture.seedMember("Bob", "lobby");
    fixture.now += 59_999;
    fixture.hub.heard(ada.client);
    fixture.hub.sweep();
    assert.equal(ada.client.isGone, false);
    fixture.now += 1;
    fixture.hub.sweep();
    assert.deepEqual(ada.take(), [{ type: "error", code: "join-timeout", message: "Nothing was joined in time" }]);
    assert.deepEqual(
      ada.link.closes.map(({ reconnect }) => reconnect),
      [false],
    );
  });

  test("dismisses a client with a name but no join, and keeps one that left its room", async () => {
    const fixture = new HubFixture({ limits: PING });
    const named = await fixture.member("Ada");
    const left = fixture.connect();
    const [hello] = await left.hear({ type: "hello", version: 2, username: "Bob" }, { type: "join", room: "lobby" });
    await left.hear({ type: "leave", room: "lobby" });
    const back = fixture.connect();
    await back.hear({ type: "hello", version: 2, session: hello?.session as string });
    fixture.now += 60_000;
    for (const { client } of [named, back]) fixture.hub.heard(client);
    fixture.hub.sweep();
    assert.deepEqual(pick(named.take(), "type", "code"), [["bye", "join-timeout"]]);
    assert.equal(back.client.isGone, false);
  });
});

describe("Hub.drain()", () => {
  const SHUTDOWN = { code: "shutdown", message: "Bye", reconnect: true } as const;

  test("carries out requests received before it, also queued ones, and ignores later ones", async () => {
    const fixture = new HubFixture({ limits: { inFlightMax: 1 } });
    const ada = await fixture.member("Ada", "lobby", "kitchen");
    const bob = await fixture.member("Bob", "lobby", "kitchen");
    ada.take();
    ada.ask(chat("one", "1"), chat("two", "2"), { type: "who", id: "w", room: "lobby" }, chat("three", "3", "kitchen"));
    const drained = fixture.hub.drain(SHUTDOWN, 1_000);
    ada.ask(chat("late", "4"));
    await drained;
    assert.deepEqual(pick(ada.take(), "type", "id"), [
      ["ack", "1"],
      ["ack", "2"],
      ["who", "w"],
      ["ack", "3"],
      ["bye", undefined],
    ]);
    assert.deepEqual(pick(bob.take(), "type", "message"), [
      ["chat", "one"],
      ["chat", "two"],
      ["chat", "three"],
      ["bye", "Bye"],
    ]);
  });

  test("does not wait for clients that do not read", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    ada.link.bufferedBytes = 65_536;
    ada.ask({ type: "ping", id: "p" }, chat("one", "1"));
    await fixture.hub.drain(SHUTDOWN, 3_600_000);
    assert.deepEqual(pick(ada.take(), "type", "id"), [
      ["pong", "p"],
      ["ack", "1"],
      ["bye", undefined],
    ]);
  });

  test("drops queued requests after timeoutMs", async () => {
    const log = new MemoryRoomLog();
    const fixture = new HubFixture({ log, limits: { inFlightMax: 1 } });
    const ada = await fixture.member("Ada", "lobby");
    const { promise, resolve } = Promise.withResolvers<readonly AppendResult[]>();
    let appends = 0;
    log.append = () => {
      appends += 1;
      return promise;
    };
    ada.ask(chat("one", "1"), chat("two", "2"));
    await fixture.hub.drain(SHUTDOWN, 0);
    resolve([{ type: "id-reused" }]);
    await idle();
    assert.deepEqual(pick(ada.take(), "type"), [["bye"]]);
    assert.equal(appends, 1);
  });

  test("does not wait past timeoutMs for a log that hangs", async () => {
    const log = new MemoryRoomLog();
    const fixture = new HubFixture({ log });
    const ada = await fixture.member("Ada", "lobby");
    log.append = () => new Promise(() => undefined);
    ada.ask(chat("one", "1"));
    await fixture.hub.drain(SHUTDOWN, 0);
    assert.deepEqual(pick(ada.take(), "type"), [["bye"]]);
  });

  test("spreads the times to reconnect, and dismisses new clients", async () => {
    const fixture = new HubFixture();
    const clients = Array.from({ length: 3_000 }, () => fixture.connect());
    for (const client of clients) client.ask({ type: "hello", version: 2 });
    await idle();
    await fixture.hub.drain(SHUTDOWN, 1_000);
    const times = clients.map((client) => client.take().at(-1)?.afterMs as number);
    for (const second of [0, 1, 2]) {
      assert.equal(times.filter((ms) => Math.floor(ms / 1_000) === second).length, 1_000);
    }
    const late = fixture.connect();
    assert.deepEqual(pick(late.take(), "code"), [["shutdown"]]);
    assert.equal(late.link.closes.length, 1);
  });

  test("says goodbye to every client in its own dialect, and sends nothing after", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.seedMember("Bob", "lobby");
    ada.take();
    await fixture.hub.drain(SHUTDOWN, 1_000);
    await fixture.hub.close();
    await idle();
    assert.deepEqual(ada.take(), [{ type: "bye", ...SHUTDOWN, afterMs: 0 }]);
    assert.deepEqual(bob.take(), [{ type: "error", code: "shutdown", message: "Bye" }]);
    assert.deepEqual(fixture.reported, []);
  });
});

test("Connection.dismiss() ignores later requests", async () => {
  const fixture = new HubFixture();
  const ada = await fixture.member("Ada", "lobby");
  ada.client.dismiss({ code: "shutdown", message: "Bye", reconnect: true });
  ada.take();
  assert.deepEqual(await ada.hear(chat("hi"), { type: "ping" }), []);
});

describe("Hub: many rooms and clients", () => {
  test("a chain of rooms whose members leave the next one does not grow the stack", async () => {
    const fixture = new HubFixture();
    const count = 1_500;
    const members = Array.from({ length: count }, () => fixture.connect());
    for (const [i, member] of members.entries()) {
      member.ask(
        { type: "hello", version: 2, username: `user${i}` },
        { type: "join", room: `room${i}` },
        { type: "join", room: `room${i + 1}` },
      );
    }
    await idle();
    for (const [i, member] of members.entries()) {
      member.take();
      member.ask(chat("hi", "c", `room${i}`), { type: "leave", id: "l", room: `room${i + 1}` });
    }
    await idle();
    for (const member of members) {
      const own = member.take().filter(({ id }) => id !== undefined);
      assert.deepEqual(pick(own, "type", "id"), [
        ["ack", "c"],
        ["ack", "l"],
      ]);
    }
    assert.deepEqual(fixture.reported, []);
  });

  test("random joins, leaves, chats, disconnects, takeovers and shares keep rooms, names and presence consistent", async () => {
    for (let seed = 1; seed <= 5; seed += 1) await storm(seed);
  });
});

/** Clients act at random over slow adapters. */
async function storm(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const pickOne = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const fixture = new HubFixture({ log: slowLog(random) });
  const names = ["Ada", "Bob", "Eve", "Kim", "Lea", "Max"];
  const rooms = ["red", "green", "blue"];
  const alive = new Set<ReturnType<HubFixture["connect"]>>();
  const sessions: string[] = [];
  for (let step = 0; step < 600; step += 1) {
    const action = random();
    const client = pickOne([...alive]);
    if (action < 0.15 || client === undefined) {
      const fresh = fixture.connect();
      alive.add(fresh);
      const way = random();
      if (way < 0.5) fresh.ask({ type: "hello", version: 2, username: pickOne(names) });
      else if (way < 0.9 && sessions.length > 0) {
        fresh.ask({ type: "hello", version: 2, session: pickOne(sessions), share: way < 0.7 });
      }
    } else if (action < 0.4) client.ask({ type: "join", room: pickOne(rooms), username: pickOne(names) });
    else if (action < 0.55) client.ask({ type: "leave", room: pickOne(rooms) });
    else if (action < 0.85) client.ask({ type: "chat", room: pickOne(rooms), message: `m${step}`, id: `i${step}` });
    else if (action < 0.91) client.client.gone();
    else if (action < 0.95) client.ask({ type: "bye" });
    else client.client.finish();
    if (random() < 0.01) await fixture.pass(fixture.limits.awayMs);
    if (random() < 0.01) await fixture.pass(fixture.limits.resumeMs);
    if (random() < 0.3) await turn();
    for (const each of alive) {
      for (const message of each.take()) if (message.type === "hello") sessions.push(message.session as string);
      if (each.client.isGone) alive.delete(each);
    }
  }
  // Users whose sessions only wait for a client leave.
  await idle();
  await fixture.pass(fixture.limits.awayMs);
  assert.deepEqual(fixture.reported, [], `seed ${seed}`);
  // The presence must list exactly the people whose sessions are in the room.
  for (const room of rooms) {
    const inside = [...alive].filter(({ client }) => !client.isGone && client.session.rooms.has(room));
    const present = await fixture.members(room);
    const expected = new Set(inside.map(({ client }) => client.session.user?.text));
    assert.deepEqual([...present].sort(), [...expected].sort(), `seed ${seed}, room ${room}`);
  }
  for (const each of alive) each.client.gone();
  await fixture.pass(fixture.limits.awayMs);
  assert.deepEqual(await fixture.roster.rooms(10), [], `seed ${seed}`);
  await fixture.pass(fixture.limits.resumeMs);
  for (const name of names) {
    assert.equal(await fixture.claim(name), true, `seed ${seed}: ${name} is still taken`);
  }
}

/** A log whose calls resolve after some turns of the event loop, in order. */
function slowLog(random: () => number): MemoryRoomLog {
  const log = new MemoryRoomLog();
  let last: Promise<unknown> = Promise.resolve();
  const later = <T>(work: () => Promise<T>): Promise<T> => {
    const turns = Math.floor(random() * 3);
    const done = last
      .then(async () => {
        for (let i = 0; i < turns; i += 1) await turn();
      })
      .then(work);
    last = done.catch(() => undefined);
    return done;
  };
  const append = log.append.bind(log);
  log.append = (entries: readonly NewEntry[]): Promise<readonly AppendResult[]> => later(() => append(entries));
  const open = log.open.bind(log);
  log.open = (room) => later(() => open(room));
  const release = log.release.bind(log);
  log.release = (room) => later(() => release(room));
  return log;
}

function positionEpoch(joined: Message | undefined): string {
  return (joined as { readonly position: { readonly epoch: string } } & Message).position.epoch;
}

/** The `seq` of each entry of an answer. */
function seqsOf(answer: Message | undefined): readonly number[] {
  return ((answer as Message).entries as readonly { readonly seq: number }[]).map(({ seq }) => seq);
}

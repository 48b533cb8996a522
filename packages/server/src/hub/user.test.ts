import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type FakeClient, HubFixture, type HubFixtureOptions, pick } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { idle } from "../../../../test/until.ts";
import { MemoryRoomLog, MemoryRoster } from "../adapters/memory/mod.ts";
import type { Command } from "../core/mod.ts";

failOnLeaks();

const chat = (message: string, id = message, room = "lobby"): Command => ({ type: "chat", message, room, id });
const join = (room: string): Command => ({ type: "join", id: "j", room });
const share = (session: string): Command => ({ type: "hello", version: 2, session, share: true });
const takeBack = (session: string): Command => ({ type: "hello", version: 2, session });

/** Bob on two connections, both in the lobby, and Ada in the lobby. */
async function twoOfBob(options?: HubFixtureOptions) {
  const fixture = new HubFixture(options);
  const ada = await fixture.member("Ada", "lobby");
  const { client: first, session } = await greet(fixture, { type: "hello", version: 2, username: "Bob" });
  const { client: second, session: secondSession } = await greet(fixture, share(session));
  await first.hear(join("lobby"));
  await second.hear(join("lobby"));
  for (const each of [ada, first]) each.take();
  return { fixture, ada, first, second, session, secondSession };
}

async function greet(fixture: HubFixture, hello: Command): Promise<{ client: FakeClient; session: string }> {
  const client = fixture.connect();
  const [answer] = await client.hear(hello);
  assert.equal(answer?.type, "hello", JSON.stringify(answer));
  return { client, session: answer?.session as string };
}

/** Makes the log's appends wait until `resume` is called. */
function stall(log: MemoryRoomLog): { resume: () => void } {
  const append = log.append.bind(log);
  const { promise, resolve } = Promise.withResolvers<void>();
  log.append = async (entries) => {
    await promise;
    return append(entries);
  };
  return { resume: resolve };
}

describe("Hub: a user with several connections", () => {
  test("hello with share adds a session with its own token and no rooms", async () => {
    const fixture = new HubFixture();
    const { client: first, session } = await greet(fixture, { type: "hello", version: 2, username: "Bob" });
    await first.hear(join("lobby"));
    const second = fixture.connect();
    const [hello, ...rest] = await second.hear({ ...share(session), id: "h" } as Command);
    assert.deepEqual([hello?.id, hello?.username, hello?.rooms], ["h", "Bob", undefined]);
    assert.notEqual(hello?.session, session);
    assert.deepEqual(rest, []);
    assert.deepEqual(first.take(), []);
    assert.deepEqual(first.link.closes, []);
    assert.deepEqual(pick(await second.hear(chat("hi")), "code"), [["not-joined"]]);
    // The new connection can be shared, too.
    const third = await greet(fixture, share(hello?.session as string));
    assert.equal((await third.client.hear(join("lobby")))[0]?.count, 1);
  });

  test("enters a room with the first connection and leaves it with the last", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const { client: first, session } = await greet(fixture, { type: "hello", version: 2, username: "Bob" });
    const { client: second } = await greet(fixture, share(session));
    const [joined] = await second.hear(join("lobby"));
    assert.deepEqual([joined?.members, joined?.count], [["Ada", "Bob"], 2]);
    assert.deepEqual(pick(ada.take(), "username", "state"), [["Bob", "joined"]]);
    const [again, ...others] = await first.hear(join("lobby"));
    assert.deepEqual([again?.members, again?.count, others], [["Ada", "Bob"], 2, []]);
    assert.deepEqual(second.take(), []);
    const [who, rooms] = await ada.hear({ type: "who", room: "lobby" }, { type: "rooms" });
    assert.deepEqual([who?.members, who?.count], [["Ada", "Bob"], 2]);
    assert.deepEqual(rooms?.rooms, [{ room: "lobby", count: 2 }]);

    assert.deepEqual(pick(await second.hear({ type: "leave", room: "lobby" }), "type"), [["ack"]]);
    assert.deepEqual([ada.take(), first.take()], [[], []]);
    assert.deepEqual(pick(await first.hear(chat("still here")), "type"), [["ack"]]);
    ada.take();
    await first.hear({ type: "leave", room: "lobby" });
    assert.deepEqual(pick(ada.take(), "username", "state"), [["Bob", "left"]]);
  });

  test("can be in different rooms on different connections", async () => {
    const { ada, first, second } = await twoOfBob();
    await second.hear(join("kitchen"), { type: "leave", room: "lobby" });
    await ada.hear(chat("hi"));
    assert.deepEqual([pick(first.take(), "message"), second.take()], [[["hi"]], []]);
    assert.deepEqual(pick(await first.hear(chat("ho", "h", "kitchen")), "code"), [["not-joined"]]);
  });

  test("gets its own messages as entries on its other connections", async () => {
    const { ada, first, second } = await twoOfBob();
    first.ask(chat("1"), chat("2"));
    second.ask(chat("3"));
    await idle();
    assert.deepEqual(pick(first.take(), "type", "username", "message", "seq"), [
      ["ack", undefined, undefined, 2],
      ["ack", undefined, undefined, 3],
      ["chat", "Bob", "3", 4],
    ]);
    assert.deepEqual(pick(second.take(), "type", "username", "message", "prev"), [
      ["chat", "Bob", "1", 1],
      ["chat", "Bob", "2", 2],
      ["ack", undefined, undefined, undefined],
    ]);
    assert.deepEqual(pick(ada.take(), "message"), [["1"], ["2"], ["3"]]);
  });

  test("has one list of ids: a message resent on another connection is stored once", async () => {
    const { ada, first, second } = await twoOfBob();
    await first.hear(chat("doubtful", "d"));
    assert.deepEqual(pick(await second.hear(chat("doubtful", "d")), "type", "seq", "duplicate"), [
      ["chat", 2, undefined],
      ["ack", 2, true],
    ]);
    assert.deepEqual(pick(await second.hear(chat("another", "d")), "code"), [["id-reused"]]);
    assert.equal(ada.take().length, 1);
  });

  test("is not told of its own joins, leaves and typing; the room is told once", async () => {
    const { fixture, ada, first, second } = await twoOfBob();
    first.ask({ type: "typing", room: "lobby" }, chat("a"));
    second.ask({ type: "typing", room: "lobby" });
    await idle();
    assert.deepEqual(pick(first.take(), "type"), [["ack"]]);
    assert.deepEqual(pick(second.take(), "type"), [["chat"]]);
    assert.deepEqual(pick(ada.take(), "type").flat().sort(), ["chat", "typing"]);
    fixture.now += 3_000;
    await second.hear({ type: "typing", room: "lobby" });
    assert.deepEqual([pick(ada.take(), "type"), first.take()], [[["typing"]], []]);
  });

  test("shares its read position between connections", async () => {
    const { ada, first, second } = await twoOfBob();
    await ada.hear(chat("1"), chat("2"));
    await first.hear(chat("3"), { type: "read", room: "lobby", seq: 2 });
    second.take();
    const [joined] = await second.hear(join("lobby"));
    assert.deepEqual([joined?.read, joined?.unread], [2, 1], "its own message is read");
  });

  test("shares its rate limits between connections", async () => {
    const { first, second } = await twoOfBob({ hasRates: true, limits: { messageRate: 1, messageBurst: 2 } });
    await first.hear(chat("1"));
    second.take();
    assert.deepEqual(pick(await second.hear(chat("2"), chat("3")), "type", "code"), [
      ["ack", undefined],
      ["error", "rate-limited"],
    ]);
  });

  test("cannot change its name on any connection", async () => {
    const { second } = await twoOfBob();
    const [refused] = await second.hear({ type: "join", room: "kitchen", username: "Rob" });
    assert.equal(refused?.code, "name-fixed");
    assert.equal((await second.hear({ type: "join", room: "kitchen", username: "BOB" }))[0]?.type, "joined");
  });

  test("ends with its last session, which also frees the name", async () => {
    const { fixture, ada, first, second, session } = await twoOfBob();
    await first.hear(join("kitchen"));
    await first.hear({ type: "bye" });
    assert.deepEqual(ada.take(), []);
    assert.deepEqual(
      (await fixture.roster.rooms(9)).map(({ room }) => room),
      ["lobby"],
    );
    assert.equal(await fixture.claim("bob"), false);
    // The token ended with its session.
    assert.equal((await fixture.connect().hear(share(session)))[0]?.code, "session-unknown");
    assert.deepEqual(pick(await second.hear(chat("still here")), "type"), [["ack"]]);
    ada.take();
    await second.hear({ type: "bye" });
    assert.deepEqual(pick(ada.take(), "username", "state"), [["Bob", "left"]]);
    assert.equal(await fixture.claim("bob"), true);
  });

  test("leaves a room when no session there has had a connection for awayMs", async () => {
    const { fixture, ada, first, second, session, secondSession } = await twoOfBob();
    const { awayMs, resumeMs } = fixture.limits;
    await second.hear(join("kitchen"));
    await first.vanish();
    await fixture.pass(awayMs);
    assert.deepEqual(ada.take(), []);
    await second.vanish();
    await fixture.pass(awayMs - 1);
    assert.deepEqual(ada.take(), []);
    // The first session has been away for longer, and comes back before the second is away, too.
    const back = await greet(fixture, takeBack(session));
    await fixture.pass(1);
    assert.deepEqual(ada.take(), []);
    assert.deepEqual(await fixture.roster.rooms(9), [{ room: "lobby", count: 2 }]);
    await back.client.vanish();
    await fixture.pass(awayMs);
    assert.deepEqual(pick(ada.take(), "username", "state"), [["Bob", "left"]]);
    // It joins again with the first session that comes back.
    await greet(fixture, takeBack(secondSession));
    await greet(fixture, takeBack(session));
    assert.deepEqual(pick(ada.take(), "username", "state"), [["Bob", "joined"]]);
    await fixture.pass(resumeMs);
    assert.deepEqual(ada.take(), []);
  });

  test("can be shared while its last connection is going, until its session has ended", async () => {
    const log = new MemoryRoomLog();
    const fixture = new HubFixture({ log });
    const { client: bob, session } = await greet(fixture, { type: "hello", version: 2, username: "Bob" });
    await bob.hear(join("lobby"));
    const { resume } = stall(log);
    bob.ask(chat("slow"));
    await bob.vanish();
    const { client: second } = await greet(fixture, share(session));
    resume();
    await second.vanish();
    await fixture.pass(fixture.limits.resumeMs);
    const fresh = fixture.connect();
    assert.deepEqual(pick(await fresh.hear(share(session)), "code"), [["session-unknown"]]);
    assert.equal((await fresh.hear({ type: "hello", version: 2, username: "Bob" }))[0]?.username, "Bob");
  });

  test("has each session taken over by its own token, and keeps the others", async () => {
    const { fixture, ada, first, second, session, secondSession } = await twoOfBob();
    await second.hear(join("kitchen"));
    const fresh = fixture.connect();
    const [hello] = await fresh.hear(takeBack(secondSession));
    assert.deepEqual([hello?.session, hello?.username, hello?.rooms], [secondSession, "Bob", ["lobby", "kitchen"]]);
    assert.equal(second.take().at(-1)?.code, "replaced");
    assert.deepEqual([ada.take(), first.take(), first.link.closes], [[], [], []]);
    await second.vanish();
    assert.deepEqual(pick(await first.hear(chat("hi")), "type"), [["ack"]]);
    assert.deepEqual(pick(fresh.take(), "message"), [["hi"]]);
    // Also the connection that claimed the name.
    const another = fixture.connect();
    await another.hear(takeBack(session));
    await first.vanish();
    await fresh.hear({ type: "bye" });
    assert.deepEqual(pick(ada.take(), "type"), [["chat"]]);
    await another.hear({ type: "bye" });
    assert.deepEqual(pick(ada.take(), "username", "state"), [["Bob", "left"]]);
    assert.equal(await fixture.claim("bob"), true);
  });

  test("can be shared and can leave rooms while a connection is taken over", async () => {
    const log = new MemoryRoomLog();
    const { fixture, ada, first, second, session } = await twoOfBob({ log });
    const { resume } = stall(log);
    first.ask(chat("slow"));
    const fresh = fixture.connect().ask(takeBack(session));
    const third = fixture.connect().ask(share(session));
    await idle();
    assert.deepEqual(fresh.take(), []);
    assert.equal(third.take()[0]?.username, "Bob");
    await second.hear({ type: "leave", room: "lobby" });
    assert.deepEqual(ada.take(), [], "no leave: the connection that is taken over is still there");
    resume();
    await idle();
    assert.deepEqual(fresh.take()[0]?.rooms, ["lobby"]);
    assert.deepEqual(pick(ada.take(), "type"), [["chat"]]);
    await first.vanish();
    for (const each of [fresh, second]) await each.hear({ type: "bye" });
    assert.equal(await fixture.claim("bob"), false);
    await third.hear({ type: "bye" });
    assert.equal(await fixture.claim("bob"), true);
  });

  test("has at most connectionsPerPersonMax connections", async () => {
    const fixture = new HubFixture({ limits: { connectionsPerPersonMax: 3 } });
    const { session } = await greet(fixture, { type: "hello", version: 2, username: "Bob" });
    const clients = Array.from({ length: 4 }, () => fixture.connect().ask(share(session)));
    await idle();
    const answers = clients.map((client) => client.take()[0]);
    assert.deepEqual(
      answers.map((answer) => answer?.code ?? answer?.type),
      ["hello", "hello", "too-many-connections", "too-many-connections"],
    );
    // A connection that was taken over counts once, and one that is gone does not count.
    await greet(fixture, takeBack(answers[0]?.session as string));
    assert.equal((await fixture.connect().hear(share(session)))[0]?.code, "too-many-connections");
    await clients[1]?.vanish();
    const [late] = (await clients[3]?.hear(share(session))) ?? [];
    assert.equal(late?.username, "Bob");
    // Neither does a session that waits for its client come back as one too many.
    assert.equal(
      (await fixture.connect().hear(takeBack(answers[1]?.session as string)))[0]?.code,
      "too-many-connections",
    );
  });

  test("share is refused for a session without a name", async () => {
    const fixture = new HubFixture();
    const { session } = await greet(fixture, { type: "hello", version: 2 });
    assert.equal((await fixture.connect().hear(share(session)))[0]?.code, "session-unknown");
    assert.equal((await fixture.connect().hear(share("nonsense")))[0]?.code, "session-unknown");
  });

  test("share releases the previous name of the connection", async () => {
    const { fixture, session } = await twoOfBob();
    const fresh = await fixture.seedMember("Rob", "attic");
    await fresh.hear({ type: "leave" });
    assert.equal((await fresh.hear(share(session)))[0]?.username, "Bob");
    assert.equal(await fixture.claim("rob"), true);
  });

  test("dismisses silent and slow connections one by one", async () => {
    const { fixture, ada, first, second } = await twoOfBob({ limits: { outboxBytesMax: 100 } });
    second.link.bufferedBytes = 101;
    await ada.hear(chat("hi"));
    assert.equal(second.client.isGone, true);
    fixture.now += fixture.limits.pingMs;
    fixture.hub.sweep();
    fixture.hub.heard(ada.client);
    fixture.now += fixture.limits.pongMs;
    ada.take();
    fixture.hub.sweep();
    await fixture.pass(fixture.limits.awayMs);
    assert.equal(first.client.isGone, true);
    assert.deepEqual(pick(ada.take(), "username", "state"), [["Bob", "left"]]);
  });

  test("stays in the room when a join of one of its connections fails", async () => {
    let isDown = false;
    class FailingRoster extends MemoryRoster {
      override async enter(...args: Parameters<MemoryRoster["enter"]>): Promise<boolean> {
        if (isDown) throw new Error("The network is down");
        return super.enter(...args);
      }
    }
    const { fixture, ada, first, second } = await twoOfBob({ roster: (store) => new FailingRoster(store) });
    await second.hear({ type: "leave", room: "lobby" });
    isDown = true;
    assert.deepEqual(pick(await second.hear(join("lobby")), "code"), [["internal"]]);
    isDown = false;
    assert.deepEqual(ada.take(), []);
    assert.deepEqual(await fixture.members("lobby"), ["Ada", "Bob"]);
    await first.hear({ type: "bye" });
    assert.deepEqual(pick(ada.take(), "state"), [["left"]]);
    assert.equal(fixture.reported.length, 1);
  });
});

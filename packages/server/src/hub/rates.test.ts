import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeLink, HubFixture, pick } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { idle } from "../../../../test/until.ts";
import { type Command, refuse } from "../core/mod.ts";

failOnLeaks();

const chat = (id: string): Command => ({ type: "chat", message: id, room: "lobby", id });
const join = (id: string): Command => ({ type: "join", room: id, id });

describe("checkRate()", () => {
  test("refuses in the order of the requests with retryAfterMs, and accepts again after it", async () => {
    const fixture = new HubFixture({ hasRates: true, limits: { messageRate: 2, messageBurst: 2 } });
    const bob = await fixture.member("Bob", "lobby");
    const ada = await fixture.member("Ada", "lobby");
    bob.take();
    const told = await ada.hear(chat("1"), chat("2"), chat("3"), { type: "ping", id: "p" }, chat("4"));
    assert.deepEqual(pick(told, "type", "id", "code", "retryAfterMs"), [
      ["ack", "1", undefined, undefined],
      ["ack", "2", undefined, undefined],
      ["error", "3", "rate-limited", 1_000],
      ["pong", "p", undefined, undefined],
      ["error", "4", "rate-limited", 1_000],
    ]);
    assert.match(String(told[2]?.message), /^Too many messages .* try again in 1 s$/);
    assert.deepEqual(pick(bob.take(), "message"), [["1"], ["2"]]);
    fixture.now += 1_000;
    assert.deepEqual(pick(await ada.hear(chat("3"), chat("4"), chat("5")), "type", "id"), [
      ["ack", "3"],
      ["ack", "4"],
      ["error", "5"],
    ]);
    assert.deepEqual(pick(bob.take(), "message"), [["3"], ["4"]]);
  });

  test("refuses version 1 clients too, and they join no room", async () => {
    const fixture = new HubFixture({ hasRates: true, limits: { joinRate: 1, joinBurst: 1 } });
    const ada = await fixture.seedMember("Ada", "lobby");
    const told = await ada.hear(
      { type: "join", room: "kitchen", username: "Ada" },
      { type: "chat", message: "still in the lobby" },
    );
    assert.deepEqual(told, [
      {
        type: "error",
        code: "rate-limited",
        message: "Too many joins in a short time; try again in 1 s",
        retryAfterMs: 1_000,
      },
    ]);
  });

  test("does not limit clients at other addresses", async () => {
    const fixture = new HubFixture({
      hasRates: true,
      limits: { messageRatePerAddress: 1, messageBurstPerAddress: 2 },
    });
    const ada = await fixture.member("Ada", "lobby");
    const eve = await fixture.member("Eve", "lobby");
    const bob = fixture.connect(new FakeLink("192.0.2.2"));
    bob.ask({ type: "hello", version: 2, username: "Bob" }, join("lobby"));
    await idle();
    bob.take();
    assert.deepEqual(pick(await ada.hear(chat("1"), chat("2")), "type", "id").at(-1), ["ack", "2"]);
    assert.deepEqual(pick(await eve.hear(chat("e")), "code").at(-1), ["rate-limited"]);
    assert.deepEqual(pick(await bob.hear(chat("b")), "type", "id").at(-1), ["ack", "b"]);
  });

  test("limits the same name on a new connection", async () => {
    const fixture = new HubFixture({ hasRates: true, limits: { messageRate: 1, messageBurst: 2 } });
    const ada = await fixture.member("Ada", "lobby");
    await ada.hear(chat("1"), chat("2"));
    await ada.hear({ type: "bye" });
    const again = await fixture.member("ADA", "lobby");
    assert.deepEqual(pick(await again.hear(chat("3")), "code"), [["rate-limited"]]);
  });

  test("does not charge a name that the client only asks for", async () => {
    const fixture = new HubFixture({ hasRates: true, limits: { joinRate: 1, joinBurst: 3 } });
    const ada = await fixture.member("Ada", "lobby");
    const eve = fixture.connect();
    const asAda: Command = { type: "join", room: "lobby", username: "Ada" };
    const told = await eve.hear(asAda, asAda, asAda, asAda);
    assert.deepEqual(pick(told, "code"), [["name-in-use"], ["name-in-use"], ["name-in-use"], ["rate-limited"]]);
    assert.deepEqual(pick(await ada.hear(join("kitchen"), join("garden")), "type"), [["joined"], ["joined"]]);
  });

  test("limits other requests, with or without a name", async () => {
    const fixture = new HubFixture({ hasRates: true, limits: { requestRate: 1, requestBurst: 2 } });
    const rooms = (id: string): Command => ({ type: "rooms", id });
    const nobody = fixture.connect();
    const told = await nobody.hear({ type: "hello", id: "1", version: 2 }, rooms("2"), rooms("3"), { type: "pong" });
    assert.deepEqual(pick(told, "type", "code", "retryAfterMs"), [
      ["hello", undefined, undefined],
      ["rooms", undefined, undefined],
      ["error", "rate-limited", 1_000],
    ]);
    assert.match(String(told[2]?.message), /^Too many requests .* try again in 1 s$/);
    await nobody.hear(join("lobby"));
    const ada = await fixture.member("Ada", "lobby");
    const asked = await ada.hear(chat("1"), rooms("1"), rooms("2"), { type: "typing", room: "lobby" });
    assert.deepEqual(pick(asked, "type"), [["ack"], ["rooms"], ["error"]], "hello was the first, with a name");
  });

  test("counts pings and invalid requests, and accepts a valid one after the wait", async () => {
    const fixture = new HubFixture({ hasRates: true, limits: { requestRate: 1, requestBurst: 3 } });
    // The hello is the first request.
    const ada = await fixture.member("Ada", "lobby");
    const notJson = refuse("invalid-json", "Invalid JSON");
    const elsewhere: Command = { type: "chat", message: "hi", room: "kitchen" };
    const told = await ada.hear({ type: "ping" }, notJson, elsewhere, notJson, notJson, { type: "ping" });
    assert.deepEqual(pick(told, "type", "code", "message").slice(0, 2), [
      ["pong", undefined, undefined],
      ["error", "invalid-json", "Invalid JSON"],
    ]);
    assert.deepEqual(pick(told, "code", "retryAfterMs").slice(2), Array(4).fill(["rate-limited", 1_000]));
    const bob = await fixture.seedMember("Bob", "lobby");
    await ada.hear({ type: "chat", message: "hello" });
    assert.deepEqual(pick(bob.take(), "message"), [["hello"]]);
    fixture.now += 1_000;
    assert.deepEqual(pick(await ada.hear(elsewhere), "code").at(-1), ["not-joined"]);
  });

  test("accepts everything without rate limits", async () => {
    const fixture = new HubFixture({ limits: { messageRate: 1, messageBurst: 1 } });
    const ada = await fixture.member("Ada", "lobby");
    assert.deepEqual(pick(await ada.hear(chat("1"), chat("2")), "type"), [["ack"], ["ack"]]);
  });
});

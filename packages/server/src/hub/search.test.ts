import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeLink, HubFixture, pick } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { idle, until } from "../../../../test/until.ts";
import { MemoryRoomLog } from "../adapters/memory/mod.ts";
import type { Command } from "../core/mod.ts";
import { RoomLogError } from "./ports/room-log.ts";
import type { RoomSearch } from "./ports/room-search.ts";

failOnLeaks();

const chat = (message: string): Command => ({ type: "chat", room: "lobby", message });
const find = (query: string, options: object = {}): Command => ({
  type: "search",
  id: "s",
  room: "Lobby",
  query,
  ...options,
});

describe("Hub: search", () => {
  test("returns the newest messages with all the words, oldest first, and with before the earlier ones", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    await ada.hear(chat("red apple"), chat("green apple"), chat("red car"), chat("an apple, red"));
    const [found] = await ada.hear(find("apple red"));
    assert.deepEqual(pick([found ?? { type: "" }], "type", "id", "room", "more"), [["search", "s", "lobby", false]]);
    assert.deepEqual(pick(found?.entries as [], "message", "seq"), [
      ["red apple", 2],
      ["an apple, red", 5],
    ]);
    const [newest] = await ada.hear(find("apple", { limit: 1 }));
    assert.deepEqual([newest?.more, ...pick(newest?.entries as [], "seq")], [true, [5]]);
    const [older] = await ada.hear(find("apple", { limit: 1, before: 5 }));
    assert.deepEqual([older?.more, ...pick(older?.entries as [], "seq")], [true, [3]]);
    assert.deepEqual((await ada.hear(find("...")))[0]?.entries, []);
  });

  test("requires membership", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    await ada.hear(chat("secret"));
    const eve = await fixture.member("Eve", "kitchen");
    assert.deepEqual(pick(await eve.hear(find("secret")), "type", "code"), [["error", "not-joined"]]);
  });

  test("gives other addresses their turn between the steps of a long search", async () => {
    const steps: string[] = [];
    const search: RoomSearch = {
      search: async (_room, query, { before = 4 }) => {
        steps.push(query);
        await idle();
        return { entries: [], before: before > 1 ? before - 1 : undefined };
      },
    };
    const fixture = new HubFixture({ search });
    const ada = await fixture.member("Ada", "lobby");
    const bob = fixture.connect(new FakeLink("198.51.100.7"));
    await bob.hear({ type: "hello", version: 2, username: "Bob" }, { type: "join", room: "lobby" });
    ada.ask(find("long"));
    bob.ask(find("other"));
    await until(() => steps.length === 8, "both searches are complete");
    assert.deepEqual(steps.slice(0, 4), ["long", "other", "long", "other"]);
  });

  test("is refused as unsupported by a hub without a RoomSearch", async () => {
    const fixture = new HubFixture({ search: undefined });
    const ada = await fixture.member("Ada", "lobby");
    assert.deepEqual(pick(await ada.hear(find("x")), "type", "id", "code"), [["error", "s", "unsupported"]]);
    const eve = await fixture.member("Eve", "kitchen");
    assert.deepEqual(pick(await eve.hear(find("x")), "type", "id", "code"), [["error", "s", "not-joined"]]);
  });

  test("is refused as busy and not reported when the log is busy or times out", async () => {
    const log = new MemoryRoomLog();
    const fixture = new HubFixture({ log });
    const ada = await fixture.member("Ada", "lobby");
    for (const code of ["busy", "timeout"] as const) {
      log.search = () => Promise.reject(new RoomLogError(code, "later"));
      assert.deepEqual(pick(await ada.hear(find("x")), "type", "id", "code"), [["error", "s", "busy"]]);
    }
    log.append = async () => [{ type: "failed", error: new RoomLogError("busy", "later") }];
    assert.deepEqual(pick(await ada.hear({ ...chat("x"), id: "c" }), "type", "id", "code"), [["error", "c", "busy"]]);
    assert.deepEqual(fixture.reported, []);
    log.search = () => Promise.reject(new RoomLogError("failed", "broken"));
    assert.deepEqual(pick(await ada.hear(find("x")), "type", "id", "code"), [["error", "s", "internal"]]);
    assert.equal(fixture.reported.length, 1);
  });
});

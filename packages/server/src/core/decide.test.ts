import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Command } from "./command.ts";
import { decide } from "./decide.ts";
import type { Decision } from "./decision.ts";
import { type ChatLimits, DEFAULT_LIMITS } from "./limits.ts";
import type { Name } from "./names.ts";
import { newSession, type Session } from "./session.ts";

const LIMITS: ChatLimits = { ...DEFAULT_LIMITS, messageBytesMax: 8, roomsMax: 2, historyMax: 20, historyDefault: 5 };
const ADA: Name = { text: "Ada", key: "ada" };
const LOBBY: Name = { text: "Lobby", key: "lobby" };
const KITCHEN: Name = { text: "kitchen", key: "kitchen" };

function session(version: 1 | 2, person?: Name, ...rooms: readonly Name[]): Session {
  return { ...newSession(), version, person, rooms: new Map(rooms.map((room) => [room.key, room])) };
}

function codeOf(by: Session, command: Command): string | undefined {
  const decision = decide(by, command, LIMITS);
  return decision.type === "refusal" ? decision.code : undefined;
}

function made(by: Session, command: Command): Decision {
  return decide(by, command, LIMITS);
}

describe("decide()", () => {
  test("requires hello before any command of version 2", () => {
    const commands: Command[] = [
      { type: "who", room: "lobby" },
      { type: "rooms" },
      { type: "history", room: "lobby" },
      { type: "search", room: "lobby", query: "x" },
      { type: "topic", room: "lobby" },
      { type: "typing", room: "lobby" },
      { type: "read", room: "lobby", seq: 1 },
    ];
    for (const command of commands) {
      assert.equal(codeOf(session(1, ADA, LOBBY), command), "version-required");
      assert.equal(codeOf(session(2, ADA, LOBBY), command), undefined);
    }
  });

  test("does not change the session", () => {
    const by = session(1, ADA, LOBBY);
    const before = structuredClone(by);
    decide(by, { type: "join", room: "kitchen", username: "bob" }, LIMITS);
    decide(by, { type: "leave" }, LIMITS);
    decide(session(1), { type: "hello", version: 2 }, LIMITS);
    assert.deepEqual(by, before);
  });

  test("answers ping with pong, and pong with nothing", () => {
    assert.deepEqual(made(session(1), { type: "ping" }), { type: "pong" });
    assert.deepEqual(made(session(2), { type: "pong" }), { type: "nothing" });
  });
});

describe("decide(): hello", () => {
  test("greets with a name or a session", () => {
    assert.deepEqual(made(session(1), { type: "hello", version: 2 }), {
      type: "greet",
      person: undefined,
      session: undefined,
      share: false,
      attempt: Number.POSITIVE_INFINITY,
    });
    assert.deepEqual(made(session(1), { type: "hello", version: 2, username: "Ada", session: "s", attempt: 3 }), {
      type: "greet",
      person: ADA,
      session: "s",
      share: false,
      attempt: 3,
    });
    const shared = made(session(1), { type: "hello", version: 2, session: "s", share: true });
    assert.equal(shared.type === "greet" && shared.share, true);
  });

  test("is refused for another version, a second time, after a join, and with an invalid name", () => {
    for (const version of [1, 3, 0, -2, 2.5, Number.NaN]) {
      assert.equal(codeOf(session(1), { type: "hello", version }), "unsupported-version");
    }
    assert.equal(codeOf(session(2), { type: "hello", version: 2 }), "invalid-request");
    assert.equal(codeOf(session(1, ADA, LOBBY), { type: "hello", version: 2 }), "invalid-request");
    assert.equal(codeOf(session(1), { type: "hello", version: 2, username: "a b" }), "name-invalid");
  });
});

describe("decide(): join", () => {
  const lobby = { type: "join", room: "Lobby", username: "Ada" } as const;

  test("enters a room under a name", () => {
    assert.deepEqual(made(session(1), lobby), {
      type: "join",
      room: LOBBY,
      person: ADA,
      leave: [],
      after: undefined,
      history: 0,
    });
  });

  test("requires a name only the first time", () => {
    assert.deepEqual(made(session(1), { type: "join", room: "lobby" }), {
      type: "refusal",
      code: "invalid-request",
      message: "Room and username required",
    });
    assert.equal(made(session(2, ADA), { type: "join", room: "lobby" }).type, "join");
  });

  test("refuses invalid names", () => {
    assert.equal(codeOf(session(1), { ...lobby, room: "#lobby" }), "room-invalid");
    assert.equal(codeOf(session(1), { ...lobby, username: "a,b" }), "name-invalid");
  });

  test("in version 1 leaves the other room, but not the same one", () => {
    const leaveOf = (by: Session, command: Command) => {
      const decision = made(by, command);
      return decision.type === "join" ? decision.leave : decision;
    };
    assert.deepEqual(leaveOf(session(1, ADA, KITCHEN), lobby), [KITCHEN]);
    assert.deepEqual(leaveOf(session(1, ADA, LOBBY), { ...lobby, room: "LOBBY" }), []);
    assert.deepEqual(leaveOf(session(1, ADA, LOBBY), { ...lobby, username: "bob" }), [LOBBY]);
    assert.deepEqual(leaveOf(session(2, ADA, KITCHEN), lobby), []);
  });

  test("keeps the name as it was first written", () => {
    const decision = made(session(2, ADA), { ...lobby, username: "ADA" });
    assert.equal(decision.type === "join" && decision.person, ADA);
  });

  test("in version 2 refuses another name", () => {
    assert.equal(codeOf(session(2, ADA), { ...lobby, username: "bob" }), "name-fixed");
  });

  test("in version 2 refuses one room over the limit, but accepts a room already joined", () => {
    const full = session(2, ADA, LOBBY, KITCHEN);
    assert.equal(codeOf(full, { type: "join", room: "cellar" }), "too-many-rooms");
    assert.equal(codeOf(full, { type: "join", room: "lobby" }), undefined);
    assert.equal(codeOf(session(2, ADA, LOBBY), { type: "join", room: "cellar" }), undefined);
  });

  test("limits the history to historyMax", () => {
    const historyOf = (command: Partial<Command>) => {
      const decision = made(session(2, ADA), { ...lobby, ...command } as Command);
      return decision.type === "join" ? decision.history : undefined;
    };
    const after = { epoch: "e", seq: 1 };
    assert.equal(historyOf({}), 0);
    assert.equal(historyOf({ history: 20 }), 20);
    assert.equal(historyOf({ history: 21 }), 20);
    assert.equal(historyOf({ after }), 20);
    assert.equal(historyOf({ after, history: 3 }), 3);
  });
});

describe("decide(): chat", () => {
  test("goes to the given room, or to the only one", () => {
    const append = { type: "append", room: LOBBY, person: ADA, message: "hi" };
    assert.deepEqual(made(session(1, ADA, LOBBY), { type: "chat", message: "hi" }), append);
    assert.deepEqual(made(session(2, ADA, KITCHEN, LOBBY), { type: "chat", room: "LOBBY", message: "hi" }), append);
  });

  test("without a room is refused in no room and in two rooms", () => {
    assert.equal(codeOf(session(1), { type: "chat", message: "hi" }), "not-joined");
    assert.equal(codeOf(session(1, ADA), { type: "chat", message: "hi" }), "not-joined");
    assert.equal(codeOf(session(1, ADA, LOBBY), { type: "chat", room: "kitchen", message: "hi" }), "not-joined");
    assert.equal(codeOf(session(2, ADA, LOBBY, KITCHEN), { type: "chat", message: "hi" }), "not-joined");
    for (const room of ["__proto__", "constructor", ""]) {
      assert.equal(codeOf(session(2, ADA, LOBBY), { type: "chat", room, message: "hi" }), "not-joined");
    }
  });

  test("is refused one byte over the limit", () => {
    const by = session(1, ADA, LOBBY);
    for (const message of ["", "12345678", "éééé", "語語é"]) {
      assert.equal(codeOf(by, { type: "chat", message }), undefined);
    }
    for (const message of ["123456789", "ééééx", "語語éx", "😀😀x"]) {
      assert.equal(codeOf(by, { type: "chat", message }), "message-too-long");
    }
  });
});

describe("decide(): leave", () => {
  test("leaves the given room, or the only one", () => {
    assert.deepEqual(made(session(1, ADA, LOBBY), { type: "leave" }), { type: "leave", room: LOBBY });
    assert.deepEqual(made(session(2, ADA, LOBBY, KITCHEN), { type: "leave", room: "LOBBY" }), {
      type: "leave",
      room: LOBBY,
    });
  });

  test("without a room is refused in no room and in two rooms", () => {
    assert.equal(codeOf(session(1), { type: "leave" }), "not-joined");
    assert.equal(codeOf(session(2, ADA, LOBBY), { type: "leave", room: "kitchen" }), "not-joined");
    assert.equal(codeOf(session(2, ADA, LOBBY, KITCHEN), { type: "leave" }), "not-joined");
  });
});

describe("decide(): who and history", () => {
  test("who accepts any valid room", () => {
    assert.deepEqual(made(session(2), { type: "who", room: "Lobby" }), { type: "who", room: LOBBY });
    assert.equal(codeOf(session(2), { type: "who", room: "" }), "room-invalid");
  });

  test("history requires a joined room and respects the limits", () => {
    const by = session(2, ADA, LOBBY);
    assert.equal(codeOf(by, { type: "history", room: "kitchen" }), "not-joined");
    const page = { type: "history", room: LOBBY, before: undefined, after: undefined };
    assert.deepEqual(made(by, { type: "history", room: "lobby" }), { ...page, limit: 5 });
    assert.deepEqual(made(by, { type: "history", room: "lobby", limit: 0 }), { ...page, limit: 0 });
    assert.deepEqual(made(by, { type: "history", room: "lobby", limit: 21, before: 9 }), {
      ...page,
      before: 9,
      limit: 20,
    });
    assert.deepEqual(made(by, { type: "history", room: "lobby", after: 3 }), { ...page, after: 3, limit: 5 });
  });
});

describe("decide(): topic", () => {
  const set = (topic: string): Command => ({ type: "topic", room: "LOBBY", topic });

  test("is set and asked for in a joined room", () => {
    const by = session(2, ADA, LOBBY);
    assert.deepEqual(made(by, set("a")), { type: "set", room: LOBBY, person: ADA, key: "topic", value: "a" });
    assert.deepEqual(made(by, set("")), { type: "set", room: LOBBY, person: ADA, key: "topic", value: "" });
    assert.deepEqual(made(by, { type: "topic", room: "lobby" }), { type: "topic", room: LOBBY });
    assert.equal(codeOf(session(2, ADA), set("a")), "not-joined");
  });

  test("is refused past topicBytesMax, and with more than one line", () => {
    const by = session(2, ADA, LOBBY);
    assert.equal(codeOf(by, set("é".repeat(512))), undefined);
    assert.equal(codeOf(by, set(`${"é".repeat(512)}x`)), "message-too-long");
    for (const topic of ["a\nb", "\u001b[31m", "\u0085", "a\u2028b", "\u2029", "\ud800"])
      assert.equal(codeOf(by, set(topic)), "invalid-request");
  });
});

describe("decide(): search, typing and read", () => {
  test("require a joined room", () => {
    const by = session(2, ADA, LOBBY);
    assert.deepEqual(made(by, { type: "search", room: "lobby", query: "x", before: 3, limit: 100 }), {
      type: "search",
      room: LOBBY,
      query: "x",
      before: 3,
      limit: 20,
    });
    assert.deepEqual(made(by, { type: "typing", room: "lobby" }), { type: "typing", room: LOBBY, person: ADA });
    assert.deepEqual(made(by, { type: "read", room: "lobby", seq: 3 }), {
      type: "read",
      room: LOBBY,
      person: ADA,
      seq: 3,
    });
    for (const command of [
      { type: "search", room: "kitchen", query: "x" },
      { type: "typing", room: "kitchen" },
      { type: "read", room: "kitchen", seq: 3 },
    ] as const) {
      assert.equal(codeOf(by, command), "not-joined");
    }
  });
});

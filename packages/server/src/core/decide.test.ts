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

/** A client that said hello, with its name and rooms. */
function session(user?: Name, ...rooms: readonly Name[]): Session {
  return { ...newSession(), isGreeted: true, user, rooms: new Map(rooms.map((room) => [room.key, room])) };
}

function made(by: Session, command: Command, state?: ReadonlyMap<string, string>): Decision {
  return decide({ session: by, limits: LIMITS, state: (room) => (room === LOBBY ? state : undefined) }, command);
}

function codeOf(by: Session, command: Command): string | undefined {
  const decision = made(by, command);
  return decision.type === "refusal" ? decision.code : undefined;
}

describe("decide()", () => {
  test("does not change the session", () => {
    const by = session(ADA, LOBBY);
    const before = structuredClone(by);
    made(by, { type: "join", room: "kitchen", username: "bob", isMove: true });
    made(by, { type: "leave" });
    made(newSession(), { type: "hello", version: 2 });
    assert.deepEqual(by, before);
  });

  test("answers ping with pong, and pong with nothing", () => {
    assert.deepEqual(made(newSession(), { type: "ping" }), { type: "pong" });
    assert.deepEqual(made(session(), { type: "pong" }), { type: "nothing" });
  });

  test("refuses what only members may do, in a room that was not joined, in no room and in two rooms", () => {
    const commands = [
      { type: "chat", message: "hi" },
      { type: "history" },
      { type: "search", query: "x" },
      { type: "topic", topic: "x" },
      { type: "typing" },
      { type: "read", seq: 1 },
      { type: "users", prefix: "a" },
    ];
    for (const command of commands) {
      for (const room of ["kitchen", "", "__proto__", "constructor"]) {
        assert.equal(codeOf(session(ADA, LOBBY), { ...command, room } as Command), "not-joined", command.type);
      }
      assert.equal(codeOf(session(), { ...command, room: "lobby" } as Command), "not-joined", command.type);
      assert.equal(codeOf(session(ADA, LOBBY), { ...command, room: "LOBBY" } as Command), undefined, command.type);
    }
  });
});

describe("decide(): hello", () => {
  test("greets with a name or a session", () => {
    assert.deepEqual(made(newSession(), { type: "hello", version: 2 }), {
      type: "greet",
      name: undefined,
      session: undefined,
      share: false,
      attempt: Number.POSITIVE_INFINITY,
    });
    assert.deepEqual(made(newSession(), { type: "hello", version: 2, username: "Ada", session: "s", attempt: 3 }), {
      type: "greet",
      name: ADA,
      session: "s",
      share: false,
      attempt: 3,
    });
    const shared = made(newSession(), { type: "hello", version: 2, session: "s", share: true });
    assert.equal(shared.type === "greet" && shared.share, true);
  });

  test("is refused for another version, a second time, after a join, and with an invalid name", () => {
    for (const version of [1, 3, 0, -2, 2.5, Number.NaN]) {
      assert.equal(codeOf(newSession(), { type: "hello", version }), "unsupported-version");
    }
    assert.equal(codeOf(session(), { type: "hello", version: 2 }), "invalid-request");
    const joined = { ...session(ADA, LOBBY), isGreeted: false };
    assert.equal(codeOf(joined, { type: "hello", version: 2 }), "invalid-request");
    assert.equal(codeOf(newSession(), { type: "hello", version: 2, username: "a b" }), "name-invalid");
  });
});

describe("decide(): join", () => {
  const lobby = { type: "join", room: "Lobby", username: "Ada" } as const;

  test("enters a room under a name", () => {
    assert.deepEqual(made(session(), lobby), {
      type: "join",
      room: LOBBY,
      name: ADA,
      leave: [],
      after: undefined,
      history: 0,
    });
  });

  test("requires a name only the first time", () => {
    assert.deepEqual(made(newSession(), { type: "join", room: "lobby" }), {
      type: "refusal",
      code: "invalid-request",
      message: "Room and username required",
    });
    assert.equal(made(session(ADA), { type: "join", room: "lobby" }).type, "join");
  });

  test("refuses invalid names", () => {
    assert.equal(codeOf(session(), { ...lobby, room: "#lobby" }), "room-invalid");
    assert.equal(codeOf(session(), { ...lobby, username: "a,b" }), "name-invalid");
  });

  test("as a move leaves the other rooms, and the same one only under a new name", () => {
    const leaveOf = (by: Session, command: Command) => {
      const decision = made(by, command);
      return decision.type === "join" ? decision.leave : decision;
    };
    const move = { ...lobby, isMove: true } as const;
    assert.deepEqual(leaveOf(session(ADA, KITCHEN), move), [KITCHEN]);
    assert.deepEqual(leaveOf(session(ADA, LOBBY), { ...move, room: "LOBBY" }), []);
    assert.deepEqual(leaveOf(session(ADA, LOBBY), { ...move, username: "bob" }), [LOBBY]);
    assert.deepEqual(leaveOf(session(ADA, LOBBY, KITCHEN), { ...move, room: "cellar" }), [LOBBY, KITCHEN]);
    assert.deepEqual(leaveOf(session(ADA, KITCHEN), lobby), []);
  });

  test("keeps the name as it was first written", () => {
    const decision = made(session(ADA), { ...lobby, username: "ADA" });
    assert.equal(decision.type === "join" && decision.name, ADA);
  });

  test("refuses another name", () => {
    assert.equal(codeOf(session(ADA), { ...lobby, username: "bob" }), "name-fixed");
  });

  test("refuses one room over the limit, but accepts a room already joined", () => {
    const full = session(ADA, LOBBY, KITCHEN);
    assert.equal(codeOf(full, { type: "join", room: "cellar" }), "too-many-rooms");
    assert.equal(codeOf(full, { type: "join", room: "lobby" }), undefined);
    assert.equal(codeOf(session(ADA, LOBBY), { type: "join", room: "cellar" }), undefined);
  });

  test("limits the history to historyMax", () => {
    const historyOf = (command: Partial<Command>) => {
      const decision = made(session(ADA), { ...lobby, ...command } as Command);
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
    const append = { type: "append", room: LOBBY, message: "hi" };
    assert.deepEqual(made(session(ADA, LOBBY), { type: "chat", message: "hi" }), append);
    assert.deepEqual(made(session(ADA, KITCHEN, LOBBY), { type: "chat", room: "LOBBY", message: "hi" }), append);
  });

  test("without a room is refused in no room and in two rooms", () => {
    assert.equal(codeOf(session(), { type: "chat", message: "hi" }), "not-joined");
    assert.equal(codeOf(session(ADA), { type: "chat", message: "hi" }), "not-joined");
    assert.equal(codeOf(session(ADA, LOBBY), { type: "chat", room: "kitchen", message: "hi" }), "not-joined");
    assert.equal(codeOf(session(ADA, LOBBY, KITCHEN), { type: "chat", message: "hi" }), "not-joined");
    for (const room of ["__proto__", "constructor", ""]) {
      assert.equal(codeOf(session(ADA, LOBBY), { type: "chat", room, message: "hi" }), "not-joined");
    }
  });

  test("is refused one byte over the limit", () => {
    const by = session(ADA, LOBBY);
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
    assert.deepEqual(made(session(ADA, LOBBY), { type: "leave" }), { type: "leave", room: LOBBY });
    assert.deepEqual(made(session(ADA, LOBBY, KITCHEN), { type: "leave", room: "LOBBY" }), {
      type: "leave",
      room: LOBBY,
    });
  });

  test("without a room is refused in no room and in two rooms", () => {
    assert.equal(codeOf(session(), { type: "leave" }), "not-joined");
    assert.equal(codeOf(session(ADA, LOBBY), { type: "leave", room: "kitchen" }), "not-joined");
    assert.equal(codeOf(session(ADA, LOBBY, KITCHEN), { type: "leave" }), "not-joined");
  });
});

describe("decide(): who and history", () => {
  test("who accepts any valid room", () => {
    assert.deepEqual(made(session(), { type: "who", room: "Lobby" }), { type: "who", room: LOBBY });
    assert.equal(codeOf(session(), { type: "who", room: "" }), "room-invalid");
  });

  test("history requires a joined room and respects the limits", () => {
    const by = session(ADA, LOBBY);
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

describe("decide(): users", () => {
  test("compares prefixes like names, and lists at most membersMax", () => {
    const by = session(ADA, LOBBY);
    const limits = { room: LOBBY, limit: LIMITS.membersMax };
    assert.deepEqual(made(by, { type: "users", prefix: "A" }), { type: "users", prefix: "a", ...limits });
    assert.deepEqual(made(by, { type: "users", prefix: "E\u0301", room: "LOBBY", limit: 3 }), {
      type: "users",
      room: LOBBY,
      prefix: "\u00e9",
      limit: 3,
    });
    const most = made(by, { type: "users", prefix: "", limit: LIMITS.membersMax + 1 });
    assert.deepEqual(most, { type: "users", prefix: "", ...limits });
  });
});

describe("decide(): topic", () => {
  const set = (topic: string): Command => ({ type: "topic", room: "LOBBY", topic });

  test("is set and asked for in a joined room", () => {
    const by = session(ADA, LOBBY);
    assert.deepEqual(made(by, set("a")), { type: "set", room: LOBBY, key: "topic", value: "a" });
    assert.deepEqual(made(by, set("")), { type: "set", room: LOBBY, key: "topic", value: "" });
    const state = new Map([["topic", "Plans"]]);
    const asked: Command = { type: "topic", room: "lobby" };
    assert.deepEqual(made(by, asked, state), { type: "topic", room: LOBBY, topic: "Plans" });
    assert.deepEqual(made(by, asked), { type: "topic", room: LOBBY, topic: "" });
    assert.equal(codeOf(session(ADA), set("a")), "not-joined");
  });

  test("is refused past topicBytesMax, and with more than one line", () => {
    const by = session(ADA, LOBBY);
    assert.equal(codeOf(by, set("é".repeat(512))), undefined);
    assert.equal(codeOf(by, set(`${"é".repeat(512)}x`)), "message-too-long");
    for (const topic of ["a\nb", "\u001b[31m", "\u0085", "a\u2028b", "\u2029", "\ud800"])
      assert.equal(codeOf(by, set(topic)), "invalid-request");
  });
});

describe("decide(): search, typing and read", () => {
  test("require a joined room", () => {
    const by = session(ADA, LOBBY);
    assert.deepEqual(made(by, { type: "search", room: "lobby", query: "x", before: 3, limit: 100 }), {
      type: "search",
      room: LOBBY,
      query: "x",
      before: 3,
      limit: 20,
    });
    assert.deepEqual(made(by, { type: "typing", room: "lobby" }), { type: "typing", room: LOBBY });
    assert.deepEqual(made(by, { type: "read", room: "lobby", seq: 3 }), {
      type: "read",
      room: LOBBY,
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

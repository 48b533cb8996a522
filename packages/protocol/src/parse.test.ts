import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fc } from "../../../test/seed.ts";
import { BYE_CODES, ERROR_CODES } from "./codes.ts";
import { parseRequest } from "./parse.ts";

/** A valid request of each type with all its fields, and the required type of each field. */
const REQUESTS = {
  hello: { fields: { version: 2, username: "ada", session: "s", share: true, attempt: 2 }, required: ["version"] },
  join: {
    fields: { room: "lobby", username: "ada", after: { epoch: "e", seq: 3 }, history: 10 },
    required: ["room"],
  },
  chat: { fields: { room: "lobby", message: "hi" }, required: ["message"] },
  leave: { fields: { room: "lobby" }, required: [] },
  who: { fields: { room: "lobby" }, required: ["room"] },
  users: { fields: { prefix: "a", room: "lobby", limit: 5 }, required: ["prefix"] },
  rooms: { fields: {}, required: [] },
  history: { fields: { room: "lobby", before: 9, limit: 5 }, required: ["room"] },
  search: { fields: { room: "lobby", query: "x", before: 9, limit: 5 }, required: ["room", "query"] },
  topic: { fields: { room: "lobby", topic: "x" }, required: ["room"] },
  typing: { fields: { room: "lobby" }, required: ["room"] },
  read: { fields: { room: "lobby", seq: 3 }, required: ["room", "seq"] },
  ping: { fields: {}, required: [] },
  pong: { fields: {}, required: [] },
} as const;

const VALUES: readonly unknown[] = [null, true, false, 0, 1, 2, -1, 1.5, 1e300, "", "x", [], ["x"], {}, { seq: 1 }];

/** Wrong values to put in place of a field's valid value. */
function isRight(field: string, valid: unknown, value: unknown): boolean {
  if (field === "after" && typeof valid === "object") return false;
  if (["history", "before", "limit", "after", "seq", "attempt"].includes(field))
    return Number.isSafeInteger(value) && Number(value) >= 0;
  if (field === "room" || field === "username") return typeof value === typeof valid;
  return typeof value === typeof valid;
}

describe("parseRequest()", () => {
  for (const [type, { fields, required }] of Object.entries(REQUESTS)) {
    test(`accepts ${type} with all fields and with only the required ones`, () => {
      const whole = { type, id: "1", ...fields };
      assert.deepEqual(parseRequest(whole), whole);
      const least = { type, ...Object.fromEntries(required.map((name) => [name, Reflect.get(fields, name)])) };
      assert.deepEqual(parseRequest(least), least);
    });

    test(`removes unknown fields from ${type}`, () => {
      const whole = { type, id: "1", ...fields };
      const text = `${JSON.stringify(whole).slice(0, -1)},"x":[{}],"__proto__":{},"constructor":{}}`;
      assert.deepEqual(parseRequest(JSON.parse(text)), whole);
    });

    for (const [field, valid] of Object.entries(fields) as [string, unknown][]) {
      test(`rejects ${type} with a "${field}" of the wrong type`, () => {
        for (const value of VALUES) {
          const request = { type, id: "7", ...fields, [field]: value };
          const parsed = parseRequest(request);
          // The answer to an empty name uses the tutorial's text.
          const isEmptyName = type === "join" && (field === "room" || field === "username") && value === "";
          if (isRight(field, valid, value) && !isEmptyName) {
            assert.deepEqual(parsed, request, JSON.stringify(value));
          } else {
            assert.equal(parsed.type, "invalid", `${type}.${field} = ${JSON.stringify(value)}`);
            assert.equal("code" in parsed && parsed.code, "invalid-request");
            assert.equal(parsed.id, "7");
          }
        }
      });
    }

    for (const field of required) {
      test(`rejects ${type} without "${field}"`, () => {
        const { [field]: _, ...rest } = fields as Record<string, unknown>;
        assert.equal(parseRequest({ type, ...rest }).type, "invalid");
      });
    }

    test(`checks the id of ${type}`, () => {
      for (const id of ["1", "x".repeat(64), "__proto__", "é"]) {
        assert.equal(parseRequest({ type, ...fields, id }).type, type);
      }
      for (const id of ["", "x".repeat(65), 1, null, true, [], {}, ["1"]]) {
        assert.deepEqual(parseRequest({ type, ...fields, id }), {
          type: "invalid",
          code: "invalid-request",
          message: '"id" must be a string of 1 to 64 characters',
        });
      }
    });
  }

  test("rejects a value that is not an object", () => {
    for (const value of [null, true, 0, "x", [], [{ type: "ping" }]]) {
      assert.deepEqual(parseRequest(value), {
        type: "invalid",
        code: "invalid-request",
        message: "A message must be a JSON object",
      });
    }
  });

  test("rejects a type that is missing, not a string, or unknown", () => {
    assert.equal(codeOf({}), "invalid-request");
    assert.equal(codeOf({ type: 1 }), "invalid-request");
    for (const type of ["", "JOIN", "welcome", "__proto__", "constructor", "toString", "hasOwnProperty"]) {
      assert.equal(codeOf({ type }), "unknown-type", type);
    }
  });

  test("answers join without room or name with the tutorial's text", () => {
    for (const fields of [{}, { room: "" }, { room: null }, { username: "ada" }, { room: "x", username: "" }]) {
      const parsed = parseRequest({ type: "join", ...fields });
      assert.equal("message" in parsed && parsed.message, "Room and username required", JSON.stringify(fields));
    }
  });

  test("rejects an invalid position", () => {
    const join = { type: "join", room: "lobby", username: "ada" };
    for (const after of [{ epoch: 1, seq: 1 }, { epoch: "e" }, { seq: 1 }, { epoch: "e", seq: -1 }, [], "e", 1.5]) {
      assert.equal(codeOf({ ...join, after }), "invalid-request", JSON.stringify(after));
    }
    assert.equal(parseRequest({ ...join, after: { epoch: "", seq: 0 } }).type, "join");
    const after = { epoch: "e", seq: 1 };
    assert.deepEqual(parseRequest({ ...join, after: { ...after, x: [{}] } }), { ...join, after });
    assert.equal(codeOf({ ...join, after: { epoch: "e", seq: 2 ** 53 } }), "invalid-request");
  });

  test("rejects history with both before and after", () => {
    assert.equal(codeOf({ type: "history", room: "lobby", before: 1, after: 1 }), "invalid-request");
    assert.equal(parseRequest({ type: "history", room: "lobby", before: 0 }).type, "history");
  });

  test("reads no field from __proto__", () => {
    assert.equal(codeOf(JSON.parse('{"__proto__":{"type":"ping"}}')), "invalid-request");
    assert.equal(codeOf(JSON.parse('{"type":"chat","__proto__":{"message":"x"}}')), "invalid-request");
    assert.equal(parseRequest(JSON.parse('{"type":"join","room":"__proto__","username":"__proto__"}')).type, "join");
  });

  test("returns a request or an error with a known code for any JSON, and never throws", () => {
    const field = fc.oneof(fc.jsonValue(), fc.string(), fc.nat());
    const almost = fc.record(
      {
        type: fc.oneof(fc.constantFrom(...Object.keys(REQUESTS)), fc.string()),
        id: field,
        room: field,
        username: field,
        message: field,
        version: field,
        after: fc.oneof(field, fc.record({ epoch: field, seq: field }, { requiredKeys: [] })),
        before: field,
        limit: field,
        history: field,
        session: field,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), almost), (value) => {
        const parsed = parseRequest(value);
        if (parsed.type === "invalid") {
          assert.ok(ERROR_CODES.includes(parsed.code));
          return;
        }
        for (const [name, field] of Object.entries(parsed)) {
          if (typeof field !== "object") assert.equal(field, Reflect.get(value as object, name));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

test("ERROR_CODES and BYE_CODES have no code in common", () => {
  const byes = Object.keys(BYE_CODES);
  assert.equal(byes.length, 7);
  assert.equal(new Set([...ERROR_CODES, ...byes]).size, ERROR_CODES.length + byes.length);
});

function codeOf(value: unknown): string | undefined {
  const parsed = parseRequest(value);
  return parsed.type === "invalid" ? parsed.code : undefined;
}

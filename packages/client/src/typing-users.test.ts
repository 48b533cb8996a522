import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { TypingUsers } from "./typing-users.ts";

test("TypingUsers removes a user after 6 seconds without typing, and calls changed once per change", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let changes = 0;
  const users = new TypingUsers(() => {
    changes += 1;
  });
  users.typed("ada");
  users.typed("bob");
  mock.timers.tick(3_000);
  users.typed("ada");
  mock.timers.tick(3_000);
  assert.deepEqual([users.names, changes], [["ada"], 3]);
  users.stopped("ada");
  users.stopped("ada");
  assert.deepEqual([users.names, changes], [[], 4]);
  users.typed("ada");
  users.clear();
  mock.timers.tick(6_000);
  assert.deepEqual([users.names, changes], [[], 5]);
  mock.timers.reset();
});

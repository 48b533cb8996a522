import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import { publishStateChange, type StateChange } from "./state.ts";

test("publishStateChange() builds no change without subscribers", () => {
  let made = 0;
  const make = (): StateChange => {
    made += 1;
    const address = { local: undefined, remote: undefined, reason: undefined };
    return { id: 1, from: "created", to: "listening", at: 0, ...address };
  };
  publishStateChange("listener", make);
  assert.equal(made, 0);
  const seen: unknown[] = [];
  const see = (change: unknown): void => void seen.push(change);
  subscribe("landline:listener", see);
  publishStateChange("listener", make);
  unsubscribe("landline:listener", see);
  assert.equal(made, 1);
  assert.equal(seen.length, 1);
  publishStateChange("listener", make);
  assert.equal(made, 1);
});

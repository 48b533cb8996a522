/**
 * The suite that every `Bus` passes.
 *
 * @module
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Bus, Hint } from "../../packages/server/src/hub/mod.ts";
import { until } from "../until.ts";

const TYPING: Hint = { type: "typing", room: "lobby", user: { id: "u1", name: "Ada" } };
const READ: Hint = { type: "read", room: "__proto__", user: "u1", epoch: "e", seq: 7 };

export function busSuite(name: string, factory: (nodes: number) => readonly Bus[] | Promise<readonly Bus[]>): void {
  describe(`${name} as a Bus`, () => {
    let ends: readonly Bus[];
    let heard: Hint[][];

    beforeEach(async () => {
      ends = await factory(3);
      heard = ends.map((end) => {
        const hints: Hint[] = [];
        end.follow((hint) => hints.push(hint));
        return hints;
      });
    });
    afterEach(async () => {
      for (const end of ends) await end.close();
    });

    test("publish() reaches every other node once, and not the node itself", async () => {
      ends[0]?.publish(TYPING);
      ends[1]?.publish(READ);
      const expected = [[READ], [TYPING], [TYPING, READ]];
      await until(
        () => heard.every((hints, i) => hints.length >= (expected[i] as Hint[]).length),
        () => `all hints; heard ${JSON.stringify(heard)}`,
      );
      const sorted = (hints: readonly Hint[]) => hints.toSorted((a, b) => b.type.localeCompare(a.type));
      assert.deepEqual(heard.map(sorted), expected);
    });

    test("publish() by a node without others, or to closed ones, does nothing", async () => {
      const [alone] = await factory(1);
      alone?.publish(TYPING);
      await alone?.close();
      await ends[1]?.close();
      ends[0]?.publish(TYPING);
      await until(() => heard[2]?.length === 1, "the open node hears the hint");
      assert.deepEqual(heard[1], []);
      ends[1]?.publish(READ);
      ends[0]?.publish(READ);
      await until(() => heard[2]?.length === 2, "the open node hears the second hint");
      assert.deepEqual(heard, [[], [], [TYPING, READ]]);
    });
  });
}

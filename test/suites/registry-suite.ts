/**
 * What every `Registry` keeps to.
 *
 * @module
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Registry } from "../../packages/server/src/hub/mod.ts";

export function registrySuite(name: string, factory: () => Registry | Promise<Registry>): void {
  describe(`${name} as a Registry`, () => {
    let registry: Registry;

    beforeEach(async () => {
      registry = await factory();
    });
    afterEach(() => registry.close());

    test("a name has one owner, who may claim it again", async () => {
      assert.equal(await registry.claim("ada", "c1"), true);
      assert.equal(await registry.claim("ada", "c2"), false);
      assert.equal(await registry.claim("ada", "c1"), true);
      assert.equal(await registry.claim("bob", "c2"), true);
    });

    test("of many that claim at once, one gets it", async () => {
      const claims = await Promise.all(Array.from({ length: 20 }, (_, i) => registry.claim("ada", `c${i}`)));
      assert.equal(claims.filter(Boolean).length, 1);
    });

    test("only its owner gives it back", async () => {
      await registry.claim("ada", "c1");
      await registry.release("ada", "c2");
      assert.equal(await registry.claim("ada", "c2"), false);
      await registry.release("ada", "c1");
      assert.equal(await registry.claim("ada", "c2"), true);
      await registry.release("ada", "c1");
      assert.equal(await registry.claim("ada", "c3"), false);
    });

    test("an owner may have several names, and giving back one that nobody has does nothing", async () => {
      await registry.release("ada", "c1");
      assert.equal(await registry.claim("ada", "c1"), true);
      assert.equal(await registry.claim("bob", "c1"), true);
      await registry.release("ada", "c1");
      assert.equal(await registry.claim("bob", "c2"), false);
    });

    test("takes any name for what it is", async () => {
      for (const key of ["__proto__", "constructor", "hasownproperty"]) {
        assert.equal(await registry.claim(key, "c1"), true);
        assert.equal(await registry.claim(key, "c2"), false);
      }
    });
  });
}

/**
 * The suite that every `Registry` passes.
 *
 * @module
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { nameKey, skeletonOf } from "../../packages/server/src/core/mod.ts";
import type { Claim, Registry } from "../../packages/server/src/hub/mod.ts";

export function registrySuite(name: string, factory: () => Registry | Promise<Registry>): void {
  describe(`${name} as a Registry`, () => {
    let registry: Registry;

    const claim = (text: string, owner: string): Promise<Claim> =>
      registry.claim({ key: nameKey(text), skeleton: skeletonOf(text) }, owner);

    beforeEach(async () => {
      registry = await factory();
    });
    afterEach(() => registry.close());

    test("claim() gives a name to one owner, which may claim it again", async () => {
      assert.equal(await claim("ada", "c1"), "claimed");
      assert.equal(await claim("ada", "c2"), "in-use");
      assert.equal(await claim("Ada", "c2"), "in-use");
      assert.equal(await claim("ada", "c1"), "claimed");
      assert.equal(await claim("bob", "c2"), "claimed");
    });

    test("claim() gives a name to one of many concurrent claims", async () => {
      const claims = await Promise.all(Array.from({ length: 20 }, (_, i) => claim("ada", `c${i}`)));
      assert.deepEqual(claims.sort(), ["claimed", ...Array(19).fill("in-use")]);
    });

    test("claim() accepts one of many concurrent look-alikes", async () => {
      const texts = ["\u0430da", "a\u0501a", "ad\u0430", "\u0430d\u0430", "\uff41da", "\u{1d41a}da"];
      const claims = await Promise.all(texts.map((text, i) => claim(text, `c${i}`)));
      assert.deepEqual(claims.sort(), ["claimed", ...Array(texts.length - 1).fill("look-alike")]);
    });

    test("claim() refuses a look-alike of a name in use, in either order, until the name is released", async () => {
      for (const [first, second] of [
        ["bob", "\u0412ob"],
        ["\u0412ob", "bob"],
        ["\u0412ob", "b\u043eb"],
      ] as const) {
        assert.equal(await claim(first, "c1"), "claimed");
        assert.equal(await claim(second, "c2"), "look-alike", `${first} ${second}`);
        await registry.release(nameKey(second), "c2");
        assert.equal(await claim(second, "c2"), "look-alike", `${first} ${second}`);
        await registry.release(nameKey(first), "c1");
        assert.equal(await claim(second, "c2"), "claimed", `${first} ${second}`);
        await registry.release(nameKey(second), "c2");
      }
    });

    test("claim() accepts different ASCII names, and refuses a non-ASCII look-alike of any of them", async () => {
      assert.equal(await claim("mall0", "c1"), "claimed");
      assert.equal(await claim("rnallO", "c2"), "claimed");
      assert.equal(await claim("maIlO", "c3"), "claimed");
      for (const owner of ["c1", "c2", "c3"]) assert.equal(await claim("m\u0430llo", owner), "look-alike");
      await registry.release("rnallo", "c2");
      await registry.release("mallo", "c3");
      await registry.release("mailo", "c3");
      assert.equal(await claim("m\u0430llo", "c2"), "look-alike");
      assert.equal(await claim("m\u0430llo", "c1"), "claimed");
    });

    test("an owner may claim a look-alike of its name, which then blocks other owners", async () => {
      assert.equal(await claim("mall0", "c1"), "claimed");
      assert.equal(await claim("m\u0430ll0", "c1"), "claimed");
      assert.equal(await claim("rnallO", "c2"), "look-alike");
      await registry.release("mall0", "c1");
      assert.equal(await claim("rnallO", "c2"), "look-alike");
      await registry.release(nameKey("m\u0430ll0"), "c1");
      assert.equal(await claim("rnallO", "c2"), "claimed");
    });

    test("release() has an effect only for the owner", async () => {
      await claim("ada", "c1");
      await registry.release("ada", "c2");
      assert.equal(await claim("ada", "c2"), "in-use");
      await registry.release("ada", "c1");
      assert.equal(await claim("ada", "c2"), "claimed");
      await registry.release("ada", "c1");
      assert.equal(await claim("ada", "c3"), "in-use");
    });

    test("an owner may have several names, and releasing an unused name does nothing", async () => {
      await registry.release("ada", "c1");
      assert.equal(await claim("ada", "c1"), "claimed");
      assert.equal(await claim("bob", "c1"), "claimed");
      await registry.release("ada", "c1");
      assert.equal(await claim("bob", "c2"), "in-use");
    });

    test("accepts any name, such as __proto__", async () => {
      for (const text of ["__proto__", "constructor", "hasownproperty"]) {
        assert.equal(await claim(text, "c1"), "claimed");
        assert.equal(await claim(text, "c2"), "in-use");
      }
      assert.equal(await claim("__prot\u043e__", "c2"), "look-alike");
    });
  });
}

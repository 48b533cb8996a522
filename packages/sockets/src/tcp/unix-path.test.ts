import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { connect } from "./connect.ts";
import { listen } from "./listen.ts";
import { serve } from "./serve.ts";

failOnLeaks();

const folder = mkdtempSync(join(tmpdir(), "landline-"));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
writeFileSync(at("file"), "");
mkdirSync(at("folder"));

const BYTES_MAX = process.platform === "linux" ? 108 : 104;
const ofLength = (bytes: number, letter = "x"): string =>
  join(folder, letter.repeat((bytes - Buffer.byteLength(folder) - 1) / Buffer.byteLength(letter)));

/** All functions that take a path. They close what they open. */
const OPENERS = {
  connect: async (path: string) => (await connect({ path })).close(),
  listen: async (path: string) => (await listen({ path })).close(),
  serve: async (path: string) => (await serve({ path }, () => undefined)).close(),
};

describe("the path of a Unix socket", { skip: process.platform === "win32" && "Windows has pipes instead" }, () => {
  test("is validated before anything is opened", async () => {
    const wrong: readonly (readonly [unknown, ErrorConstructor, RegExp])[] = [
      ["", TypeError, /^path must be a non-empty string$/],
      [null, TypeError, /^path must be a non-empty string/],
      [5, TypeError, /^path must be a non-empty string/],
      [at("a\0b"), TypeError, /^path must not contain NUL$/],
      ["\0a\0b", TypeError, /^path must not contain NUL$/],
      [
        ofLength(BYTES_MAX + 1),
        RangeError,
        new RegExp(`^path must be at most ${BYTES_MAX} bytes, .*: ${BYTES_MAX + 1} bytes$`),
      ],
      [ofLength(BYTES_MAX + 100), RangeError, /^path must be at most/],
      // The limit counts bytes, not characters.
      [join(folder, "é".repeat(60)), RangeError, /^path must be at most/],
    ];
    for (const [path, type, message] of wrong) {
      for (const [name, open] of Object.entries(OPENERS)) {
        await assert.rejects(open(path as string), (error: Error) => {
          assert.ok(error instanceof type, `${name}: ${error}`);
          assert.match(error.message, message, name);
          return true;
        });
      }
    }
  });

  test("can have the maximum length of the kernel", async () => {
    const path = ofLength(BYTES_MAX);
    await using server = await serve({ path }, (connection) => connection.write("hello"));
    await using connection = await connect({ path });
    assert.equal(String(await connection.readExactly(5)), "hello");
    assert.deepEqual(server.address, { path });
  });

  const notLinux = process.platform !== "linux" && "abstract sockets are Linux's";
  test("can be abstract, shown with a leading @", { skip: notLinux }, async () => {
    const name = `landline-${process.pid}`;
    await using _ = await listen({ path: `\0${name}` });
    await using connection = await connect({ path: `\0${name}` });
    connection.reset();
    await assert.rejects(connect({ path: `\0${name}x` }), { message: new RegExp(`^Cannot connect to @${name}x: `) });
    await assert.rejects(listen({ path: `\0${name}` }), { code: "address-in-use" });
  });

  test("makes the error of connect() name what is at the path", async () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      [at("none"), /: no such socket \(is the server running\?\)$/],
      [at("none/socket"), /: folder \S+\/none does not exist$/],
      [at("file/socket"), /: folder \S+\/file is not a folder$/],
      [at("file"), /: the path is not a socket$/],
      [at("folder"), /: the path is not a socket$/],
    ];
    for (const [path, message] of cases) await assert.rejects(connect({ path }), { code: "refused", message });
  });

  test("makes the error of listen() name what is at the path", async () => {
    await using _ = await listen({ path: at("socket") });
    const cases: readonly (readonly [string, string, RegExp])[] = [
      [at("none/socket"), "address-not-available", /^Cannot listen on \S+: folder \S+\/none does not exist$/],
      [at("file/socket"), "address-not-available", /: folder \S+\/file is not a folder$/],
      [at("file"), "address-in-use", /: the path is not a socket$/],
      [at("folder"), "address-in-use", /: the path is not a socket$/],
      [at("socket"), "address-in-use", /: the socket exists \(is another server running, or is it left over\?\)$/],
    ];
    for (const [path, code, message] of cases) {
      for (const open of [OPENERS.listen, OPENERS.serve]) await assert.rejects(open(path), { code, message });
    }
  });

  const isRoot = process.getuid?.() === 0 && "root may do everything";
  test("makes the errors name a missing permission", { skip: isRoot }, async () => {
    mkdirSync(at("closed"));
    const server = createServer().listen(at("closed/socket"));
    await once(server, "listening");
    chmodSync(at("closed/socket"), 0);
    await assert.rejects(connect({ path: at("closed/socket") }), {
      code: "permission",
      message: /: permission denied$/,
    });
    server.close();
    await once(server, "close");
    chmodSync(at("closed"), 0o500);
    await assert.rejects(listen({ path: at("closed/socket") }), {
      code: "permission",
      message: /: permission denied$/,
    });
    chmodSync(at("closed"), 0o700);
  });
});

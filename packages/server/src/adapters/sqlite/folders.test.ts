import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { createInFolder, createPrivately, makeFolder } from "./folders.ts";

/** Another user's id. */
const STRANGER = 65_534;

describe("Folders", () => {
  const isRoot = process.getuid?.() === 0;
  let base: string;
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), "landline-folders-"));
  });
  afterEach(() => rmSync(base, { recursive: true }));

  test("makeFolder() creates missing folders for this user only, and accepts an existing one", () => {
    const folder = join(base, "a", "b");
    makeFolder(folder);
    makeFolder(folder);
    for (const each of [join(base, "a"), folder]) assert.equal(statSync(each).mode & 0o777, 0o700);
  });

  test("makeFolder() passes on the system's error for a file, a path below a file, and a read-only disk", (t) => {
    const file = join(base, "file");
    writeFileSync(file, "");
    assert.throws(() => makeFolder(file), { code: "EEXIST" });
    assert.throws(() => makeFolder(join(file, "below")), { code: "ENOTDIR" });
    const disk = join(base, "disk");
    mkdirSync(disk);
    const isMounted = spawnSync("mount", ["-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", disk]).status === 0;
    if (!isMounted) return t.diagnostic("a disk that is read-only needs the right to mount one (root on Linux)");
    try {
      assert.throws(() => makeFolder(join(disk, "a", "b")), { code: "EROFS" });
    } finally {
      spawnSync("umount", [disk]);
    }
  });

  test("createInFolder() by root gives the file to the folder's owner; createPrivately() does not", (t) => {
    if (!isRoot) return t.skip("needs root");
    chownSync(base, STRANGER, STRANGER);
    createInFolder(join(base, "theirs"));
    createPrivately(join(base, "ours"));
    const { uid, gid, mode } = statSync(join(base, "theirs"));
    assert.deepEqual([uid, gid, mode & 0o777], [STRANGER, STRANGER, 0o600]);
    assert.equal(statSync(join(base, "ours")).uid, 0);
  });

  test("createInFolder() does not touch an existing file, and refuses an unreadable one", () => {
    const file = join(base, "file");
    writeFileSync(file, "precious");
    createInFolder(file);
    assert.equal(statSync(file).size, 8);
    chmodSync(base, 0o755);
    chmodSync(file, 0);
    // Root can read everything, and only a separate process can change its user for good.
    const program = `
      import { createInFolder } from ${JSON.stringify(new URL("folders.ts", import.meta.url).href)};
      if (process.getuid() === 0) process.setuid(${STRANGER});
      try { createInFolder(${JSON.stringify(file)}); } catch ({ code, syscall }) { console.log(code, syscall); }`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module-typescript", "-e", program], {
      encoding: "utf8",
    });
    assert.equal(stdout, "EACCES access\n");
  });
});

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "node:test";

/** The `skip` option of a test that uses a {@link SmallDisk}. */
export function skipWithoutMount(): string | false {
  const folder = mountDisk(1_048_576);
  if (folder === undefined) return "needs the right to mount a small disk (root on Linux)";
  unmountDisk(folder);
  return false;
}

/** A disk in memory that a test can fill. */
export class SmallDisk {
  readonly #bytes: number;
  #folder: string | undefined;

  /** Mounts a new disk of this size before each test of the suite, and unmounts it after the test. */
  constructor(bytes: number) {
    this.#bytes = bytes;
    beforeEach(() => {
      this.#folder = mountDisk(bytes);
    });
    afterEach(() => {
      if (this.#folder !== undefined) unmountDisk(this.#folder);
    });
  }

  /** Where the disk is mounted. */
  get folder(): string {
    assert.ok(this.#folder !== undefined, "the disk is not mounted");
    return this.#folder;
  }

  /** Fills the disk completely. */
  fill(): void {
    const descriptor = openSync(this.#filler, "w");
    const bytes = Buffer.alloc(65_536);
    try {
      for (let written = 0; written <= this.#bytes; ) written += writeSync(descriptor, bytes);
      assert.fail("the disk was never full");
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC", String(error));
    } finally {
      closeSync(descriptor);
    }
  }

  /** Fills the disk except for this many bytes. */
  fillExcept(freeBytes: number): void {
    const { bavail, bsize } = statfsSync(this.folder);
    writeFileSync(this.#filler, Buffer.alloc(bavail * bsize - freeBytes));
  }

  /** Frees what {@link fill} or {@link fillExcept} has taken. */
  free(): void {
    rmSync(this.#filler);
  }

  get #filler(): string {
    return join(this.folder, "filler");
  }
}

function mountDisk(bytes: number): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "landline-disk-"));
  if (spawnSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder]).status === 0) return folder;
  rmSync(folder, { recursive: true });
  return undefined;
}

function unmountDisk(folder: string): void {
  // Lazily: a process that a failed test left behind may still have files open.
  spawnSync("umount", ["-l", folder]);
  rmSync(folder, { recursive: true });
}

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { uptime } from "node:os";
import type { DatabaseSync } from "node:sqlite";
import { type Durability, transact } from "./database.ts";

/** By how much the time of the machine's start may seem to move, in seconds. */
const START_MOVES_MAX_S = 5;

/** One run of a server on the log, as the next one finds it. */
interface Run {
  readonly boot: string;
  readonly durability: Durability;
  readonly isClean: boolean;
}

/**
 * Notes that a server runs on the log, and gives the log's epoch: a new one if entries may be gone that a client has
 * seen. That is so if they were not forced to the disk and the machine went down without the server's end.
 */
export function beginRun(db: DatabaseSync, durability: Durability, boot: string = currentBoot()): string {
  return transact(db, () => {
    const last = JSON.parse(get(db, "run") ?? "null") as Run | null;
    const isLossy = last?.durability === "process" && !last.isClean && !isSameBoot(last.boot, boot);
    set(db, "run", JSON.stringify({ boot, durability, isClean: false } satisfies Run));
    const epoch = get(db, "epoch");
    return epoch === undefined || isLossy ? newEpoch(db) : epoch;
  });
}

/** Notes that all is on the disk. To be called when it will be, with the transaction. */
export function endRun(db: DatabaseSync, durability: Durability): void {
  set(db, "run", JSON.stringify({ boot: "", durability, isClean: true } satisfies Run));
}

/** Gives the log another identity, so that no position in the old one is taken for one in it. */
export function newEpoch(db: DatabaseSync): string {
  const epoch = randomBytes(8).toString("hex");
  set(db, "epoch", epoch);
  return epoch;
}

/** Names the time between a start of the machine and the next: by the kernel's id, or by when it was. */
function currentBoot(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return `at ${Math.round(Date.now() / 1_000 - uptime())}`;
  }
}

function isSameBoot(a: string, b: string): boolean {
  if (a === b) return true;
  if (!a.startsWith("at ") || !b.startsWith("at ")) return false;
  return Math.abs(Number(a.slice(3)) - Number(b.slice(3))) <= START_MOVES_MAX_S;
}

function get(db: DatabaseSync, key: string): string | undefined {
  return db.prepare("SELECT value FROM meta WHERE key = ?").get(key)?.value as string | undefined;
}

function set(db: DatabaseSync, key: string, value: string): void {
  db.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)").run(key, value);
}

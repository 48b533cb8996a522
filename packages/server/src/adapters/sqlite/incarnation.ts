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

/** What {@link beginRun} is told. */
export interface Beginning {
  readonly durability: Durability;
  /** Names this time between two starts of the machine. */
  readonly boot: string;
  /** Entries are known to be gone. */
  readonly isLossy: boolean;
}

/**
 * Notes that a server runs on the log, and gives the log's epoch: a new one if entries are gone that a client may have
 * seen, or may be gone: if they were not forced to the disk and the machine went down without the server's end.
 */
export function beginRun(db: DatabaseSync, { durability, boot, isLossy }: Beginning): string {
  return transact(db, () => {
    const last = lastRun(db);
    const isCutOff = last?.durability === "process" && !last.isClean && !isSameBoot(last.boot, boot);
    set(db, "run", JSON.stringify({ boot, durability, isClean: false } satisfies Run));
    const epoch = epochOf(db);
    return epoch === undefined || isCutOff || isLossy ? newEpoch(db) : epoch;
  });
}

/** Whether the machine has not been started since the last run, which did not come to its end. */
export function isSameBootAsLastRun(db: DatabaseSync, boot: string): boolean {
  const last = lastRun(db);
  return last !== undefined && !last.isClean && isSameBoot(last.boot, boot);
}

/** The log's identity; none before its first run. */
export function epochOf(db: DatabaseSync): string | undefined {
  return get(db, "epoch");
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
export function currentBoot(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return `at ${Math.round(Date.now() / 1_000 - uptime())}`;
  }
}

function lastRun(db: DatabaseSync): Run | undefined {
  const text = get(db, "run");
  return text === undefined ? undefined : (JSON.parse(text) as Run);
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

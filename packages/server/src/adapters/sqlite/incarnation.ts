import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { uptime } from "node:os";
import type { DatabaseSync } from "node:sqlite";
import { type Durability, transact } from "./database.ts";

/** How far the computed boot time may differ between two reads, in seconds. */
const START_MOVES_MAX_S = 5;

/** One run of a server on the log, as stored for the next run. */
interface Run {
  readonly boot: string;
  readonly durability: Durability;
  readonly isClean: boolean;
}

/** The input of {@link beginRun}. */
export interface Beginning {
  readonly durability: Durability;
  /** Identifies the boot of the machine. */
  readonly boot: string;
  /** Whether entries are known to be lost. */
  readonly isLossy: boolean;
}

/**
 * Records that a server runs on the log. Returns the log's epoch. It is a new one if entries are lost, or may be: the
 * last run had durability `process`, did not end cleanly, and the machine was rebooted.
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

/** Whether the last run did not end cleanly, and the machine was not rebooted since. */
export function isSameBootAsLastRun(db: DatabaseSync, boot: string): boolean {
  const last = lastRun(db);
  return last !== undefined && !last.isClean && isSameBoot(last.boot, boot);
}

/** Returns the log's epoch, or `undefined` before its first run. */
export function epochOf(db: DatabaseSync): string | undefined {
  return get(db, "epoch");
}

/** Records a clean end: all entries are on the disk. Call it in a transaction that is itself durable. */
export function endRun(db: DatabaseSync, durability: Durability): void {
  set(db, "run", JSON.stringify({ boot: "", durability, isClean: true } satisfies Run));
}

/** Gives the log a new epoch, so that no position of the old log is valid in it. */
export function newEpoch(db: DatabaseSync): string {
  const epoch = randomBytes(8).toString("hex");
  set(db, "epoch", epoch);
  return epoch;
}

/** Identifies the boot of the machine: the kernel's boot id, or else the boot time. */
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

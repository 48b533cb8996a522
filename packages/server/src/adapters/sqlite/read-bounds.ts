import type { ReadBounds } from "../../hub/mod.ts";
import { SEQ_MAX } from "./schema.ts";

/** Entries that one call gives at most; `more` says so. */
const ENTRIES_MAX = 1_000;

/** How many entries a call gives. */
export function limitOf({ limit }: ReadBounds): number {
  return Math.max(0, Math.min(Math.trunc(limit), ENTRIES_MAX));
}

/** Any number as a `seq`. */
export function seqOf(seq: number): number {
  return Math.max(0, Math.min(Math.trunc(seq), SEQ_MAX - 1));
}

/** The last `seq` that is before the bound. */
export function beforeOf(before: number | undefined): number {
  return before === undefined ? SEQ_MAX : seqOf(before - 1);
}

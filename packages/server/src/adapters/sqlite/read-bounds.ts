import type { ReadBounds } from "../../hub/mod.ts";
import { SEQ_MAX } from "./schema.ts";

/** Most entries that one call returns. Beyond this, `more` is set. */
const ENTRIES_MAX = 1_000;

/** Returns the limit of entries for one call. */
export function limitOf({ limit }: ReadBounds): number {
  return Math.max(0, Math.min(Math.trunc(limit), ENTRIES_MAX));
}

/** Converts any number to a valid `seq`. */
export function seqOf(seq: number): number {
  return Math.max(0, Math.min(Math.trunc(seq), SEQ_MAX - 1));
}

/** Returns the last `seq` before the bound. */
export function beforeOf(before: number | undefined): number {
  return before === undefined ? SEQ_MAX : seqOf(before - 1);
}

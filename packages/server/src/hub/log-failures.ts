import { type Refusal, refuse } from "../core/mod.ts";
import { RoomLogError, type RoomLogErrorCode } from "./ports/room-log.ts";
import { RosterError } from "./ports/roster.ts";

/** A repeated failure is reported again after this time, in milliseconds. */
const REPORT_AGAIN_MS = 60_000;

/** Maps failures of the log to refusals, and reports them to the operator. */
export class LogFailures {
  readonly #report: (error: unknown) => void;
  readonly #now: () => number;
  #reported: RoomLogErrorCode | undefined;
  #reportedAt = 0;

  constructor(report: (error: unknown) => void, now: () => number) {
    this.#report = report;
    this.#now = now;
  }

  /** Returns the refusal for a failure. Reports it, a repeated one once a minute: a full disk fails every message. */
  refusal(error: unknown): Refusal {
    const code = error instanceof RoomLogError ? error.code : undefined;
    // Without a lease this node is of no use for a moment, as when it is overloaded.
    if (code === "busy" || code === "timeout" || error instanceof RosterError) {
      return refuse("busy", "The server is overloaded; try again later");
    }
    if (code === undefined || this.#isNews(code)) this.#report(error);
    if (code === "storage-full" || code === "read-only" || code === "io") {
      return refuse("unavailable", "The server cannot store messages at the moment; nothing was stored");
    }
    return refuse("internal", "The server failed; trying again may help");
  }

  #isNews(code: RoomLogErrorCode): boolean {
    const now = this.#now();
    if (code === this.#reported && now - this.#reportedAt < REPORT_AGAIN_MS) return false;
    this.#reported = code;
    this.#reportedAt = now;
    return true;
  }
}

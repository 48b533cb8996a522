import { type Decision, type RateKind, type Refusal, refuse } from "../core/mod.ts";
import type { Connection } from "./connection.ts";

/** The word for each kind in the refusal's text. */
const WORDS: Readonly<Record<RateKind, string>> = { message: "messages", join: "joins", request: "requests" };

/** Counts a decision against the client's rate limits. Returns a refusal if the client must wait. */
export function checkRate(connection: Connection, decision: Decision, nowMs: number): Refusal | undefined {
  const kind = kindOf(decision);
  if (connection.rates === undefined || kind === undefined) return undefined;
  // Use the claimed name, not a requested one: nobody can exhaust another user's rate.
  const retryAfterMs = connection.rates.take(kind, connection.session.user?.key, nowMs);
  if (retryAfterMs === 0) return undefined;
  const message = `Too many ${WORDS[kind]} in a short time; try again in ${Math.ceil(retryAfterMs / 1_000)} s`;
  return { ...refuse("rate-limited", message), retryAfterMs };
}

/** Returns the kind of a decision. Everything that has an answer counts. */
function kindOf(decision: Decision): RateKind | undefined {
  switch (decision.type) {
    case "append":
    case "set":
      return "message";
    case "join":
      return "join";
    case "refusal":
      // A rate-limit refusal is not counted again.
      return decision.code === "rate-limited" ? undefined : "request";
    case "nothing":
    case "typing": // Has no answer, and the hub forwards it at most every few seconds.
      return undefined;
    default:
      return "request";
  }
}

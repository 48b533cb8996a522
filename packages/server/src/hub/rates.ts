import { type Decision, type RateKind, type Refusal, refuse } from "../core/mod.ts";
import type { Client } from "./client.ts";

/** What each rate is called to those who ask too often. */
const WORDS: Readonly<Record<RateKind, string>> = { message: "messages", join: "joins", request: "requests" };

/** Why the client has to wait before this is carried out, if it asks too often; counts it otherwise. */
export function checkRate(client: Client, decision: Decision, nowMs: number): Refusal | undefined {
  const kind = kindOf(decision);
  if (client.rates === undefined || kind === undefined) return undefined;
  // The name that it has, not one that it asks for: nobody uses up what is somebody else's.
  const retryAfterMs = client.rates.take(kind, client.session.person?.key, nowMs);
  if (retryAfterMs === 0) return undefined;
  const message = `Too many ${WORDS[kind]} in a short time; go on in ${Math.ceil(retryAfterMs / 1_000)} s`;
  return { ...refuse("rate-limited", message), retryAfterMs };
}

/** What a decision is counted as: whatever is answered counts. */
function kindOf(decision: Decision): RateKind | undefined {
  switch (decision.type) {
    case "append":
    case "set":
      return "message";
    case "join":
      return "join";
    case "refusal":
      // The answer to what asks too often cannot ask too often itself.
      return decision.code === "rate-limited" ? undefined : "request";
    case "nothing":
    case "typing": // Passed on seldom, and never answered.
      return undefined;
    default:
      return "request";
  }
}

import type { Rule } from "../rule.ts";

/** `ping` asks for a sign of life. */
export const ping: Rule<"ping"> = { by: "anyone", decide: () => ({ type: "pong" }) };

import type { Rule } from "../rule.ts";

/** `pong` answers the server's ping. The hub hears every message, so there is nothing left to do. */
export const pong: Rule<"pong"> = { by: "anyone", decide: () => ({ type: "nothing" }) };

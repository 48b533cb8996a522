import type { Rule } from "../rule.ts";

/** `rooms` lists the largest rooms. */
export const rooms: Rule<"rooms"> = { by: "anyone", decide: () => ({ type: "rooms" }) };

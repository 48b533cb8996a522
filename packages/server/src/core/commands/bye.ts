import type { Rule } from "../rule.ts";

/** `bye` ends the session, and the connection with it. */
export const bye: Rule<"bye"> = { by: "anyone", decide: () => ({ type: "bye" }) };

import type { Rule } from "../rule.ts";

/** `typing` tells the members of a joined room that the user is typing. */
export const typing: Rule<"typing"> = { by: "members", decide: (_, __, room) => ({ type: "typing", room }) };

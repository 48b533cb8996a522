import type { Rule } from "../rule.ts";

/** `read` stores how far the user has read a joined room. */
export const read: Rule<"read"> = {
  by: "members",
  decide: (_, { seq }, room) => ({ type: "read", room, seq }),
};

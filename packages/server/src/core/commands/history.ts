import type { Rule } from "../rule.ts";

/** `history` reads the log of a joined room. */
export const history: Rule<"history"> = {
  by: "members",
  decide({ limits }, { before, after, limit = limits.historyDefault }, room) {
    return { type: "history", room, before, after, limit: Math.min(limit, limits.historyMax) };
  },
};

import { nameKey } from "@landline/protocol";
import type { CommandOf } from "../command.ts";
import type { Decision } from "../decision.ts";
import type { ChatLimits } from "../limits.ts";
import { refuse } from "../refusal.ts";
import type { Session } from "../session.ts";

/** `history` reads the log of a joined room. */
export function history(session: Session, command: CommandOf<"history">, limits: ChatLimits): Decision {
  const room = session.rooms.get(nameKey(command.room));
  if (room === undefined) return refuse("not-joined", "Join the room first");
  const limit = Math.min(command.limit ?? limits.historyDefault, limits.historyMax);
  return { type: "history", room, before: command.before, after: command.after, limit };
}

import type { RequestType } from "@landline/protocol";
import type { CommandOf } from "./command.ts";
import type { Decision } from "./decision.ts";
import type { ChatLimits } from "./limits.ts";
import type { Name } from "./names.ts";
import type { Session } from "./session.ts";

/** What the rules see. */
export interface Context {
  /** Who acts: the client's user and the rooms that it joined. */
  readonly session: Session;
  readonly limits: ChatLimits;
  /** Returns the state of a room, folded from its log. `undefined` if the room is not open on this server. */
  state(room: Name): ReadonlyMap<string, string> | undefined;
}

/** The rule for one command: who may use it, and what it decides. It changes nothing. */
export type Rule<Type extends RequestType> =
  | {
      readonly by: "anyone";
      decide(context: Context, command: CommandOf<Type>): Decision;
    }
  | {
      /** Members of the room that the command names. Without one, it means the only room that the client joined. */
      readonly by: "members";
      decide(context: Context, command: CommandOf<Type>, room: Name): Decision;
    };

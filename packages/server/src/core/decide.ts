import type { RequestType } from "@landline/protocol";
import type { Command } from "./command.ts";
import { bye } from "./commands/bye.ts";
import { chat } from "./commands/chat.ts";
import { hello } from "./commands/hello.ts";
import { history } from "./commands/history.ts";
import { join } from "./commands/join.ts";
import { leave } from "./commands/leave.ts";
import { ping } from "./commands/ping.ts";
import { pong } from "./commands/pong.ts";
import { read } from "./commands/read.ts";
import { rooms } from "./commands/rooms.ts";
import { search } from "./commands/search.ts";
import { topic } from "./commands/topic.ts";
import { typing } from "./commands/typing.ts";
import { users } from "./commands/users.ts";
import { who } from "./commands/who.ts";
import type { Decision } from "./decision.ts";
import { refuse } from "./refusal.ts";
import type { Context, Rule } from "./rule.ts";
import { joinedRoom } from "./session.ts";

/** The rule for every command. */
const RULES: { readonly [Type in RequestType]: Rule<Type> } = {
  bye,
  chat,
  hello,
  history,
  join,
  leave,
  ping,
  pong,
  read,
  rooms,
  search,
  topic,
  typing,
  users,
  who,
};

/** Applies the rules to one command. Pure: it reads the context and does not change it. */
export function decide(context: Context, command: Command): Decision {
  // A type has the rule for its commands; the compiler cannot tell for a union of types.
  const rule = RULES[command.type] as Rule<never>;
  if (rule.by === "anyone") return rule.decide(context, command as never);
  const { session } = context;
  const room = joinedRoom(session, "room" in command ? command.room : undefined);
  if (room !== undefined) return rule.decide(context, command as never, room);
  return refuse("not-joined", session.rooms.size > 1 ? "Say in which room" : "Join the room first");
}

import type { Command } from "./command.ts";
import { chat } from "./commands/chat.ts";
import { hello } from "./commands/hello.ts";
import { history } from "./commands/history.ts";
import { join } from "./commands/join.ts";
import { leave } from "./commands/leave.ts";
import { read } from "./commands/read.ts";
import { search } from "./commands/search.ts";
import { topic } from "./commands/topic.ts";
import { typing } from "./commands/typing.ts";
import { who } from "./commands/who.ts";
import type { Decision } from "./decision.ts";
import type { ChatLimits } from "./limits.ts";
import { refuse } from "./refusal.ts";
import type { Session } from "./session.ts";

/** Commands of version 1, the tutorial's protocol. */
const VERSION_1: ReadonlySet<Command["type"]> = new Set(["hello", "join", "chat", "leave", "ping", "pong"]);

/**
 * Applies the rules to one command. Pure: it reads the session and does not change it. Every command is listed here.
 */
export function decide(session: Session, command: Command, limits: ChatLimits): Decision {
  if (session.version === 1 && !VERSION_1.has(command.type)) {
    return refuse("version-required", `Send {"type":"hello","version":2} before ${command.type}`);
  }
  switch (command.type) {
    case "hello":
      return hello(session, command);
    case "join":
      return join(session, command, limits);
    case "chat":
      return chat(session, command, limits);
    case "leave":
      return leave(session, command);
    case "who":
      return who(command);
    case "rooms":
      return { type: "rooms" };
    case "history":
      return history(session, command, limits);
    case "search":
      return search(session, command, limits);
    case "topic":
      return topic(session, command, limits);
    case "typing":
      return typing(session, command);
    case "read":
      return read(session, command);
    case "ping":
      return { type: "pong" };
    case "pong":
      return { type: "nothing" };
  }
}

/** What a typed line asks for. */
export type ChatInput =
  | { readonly kind: "nothing" }
  | { readonly kind: "say"; readonly text: string }
  | { readonly kind: "join"; readonly room: string }
  | { readonly kind: "topic"; readonly topic: string }
  | { readonly kind: "search"; readonly query: string }
  | { readonly kind: "leave" | "who" | "rooms" | "help" | "quit" }
  | { readonly kind: "unknown"; readonly command: string };

/** What can be typed, for people. */
export const CHAT_HELP = `/join ROOM     enter a room, and talk there
/leave         leave the room
/who           who is in the room
/rooms         which rooms there are
/topic TEXT    say what the room is about; without a text, show it
/search WORDS  find messages that have all the words
/quit          leave and end
//text         say a text that begins with /`;

/** Reads a typed line: a message, or a command that begins with `/`. */
export function parseChatInput(line: string): ChatInput {
  if (line.trim() === "") return { kind: "nothing" };
  if (line.startsWith("//")) return { kind: "say", text: line.slice(1) };
  if (!line.startsWith("/")) return { kind: "say", text: line };
  const [, command = "", argument = ""] = /^\/(\S*)\s*(.*?)\s*$/.exec(line) ?? [];
  switch (command) {
    case "join":
      return argument === "" ? { kind: "unknown", command: "/join without a room" } : { kind: "join", room: argument };
    case "topic":
      return { kind: "topic", topic: argument };
    case "search":
      return argument === ""
        ? { kind: "unknown", command: "/search without words" }
        : { kind: "search", query: argument };
    case "leave":
    case "who":
    case "rooms":
    case "help":
    case "quit":
      return { kind: command };
    default:
      return { kind: "unknown", command: `/${command}` };
  }
}

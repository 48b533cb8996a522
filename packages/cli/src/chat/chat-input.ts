/** A parsed line. */
export type ChatInput =
  | { readonly kind: "nothing" }
  | { readonly kind: "say"; readonly text: string }
  | { readonly kind: "join"; readonly room: string }
  | { readonly kind: "topic"; readonly topic: string }
  | { readonly kind: "search"; readonly query: string }
  | { readonly kind: "leave" | "who" | "rooms" | "help" | "quit" }
  | { readonly kind: "unknown"; readonly command: string };

/** The text of `/help`. */
export const CHAT_HELP = `/join ROOM     join a room and write there
/leave         leave the room
/who           list the people in the room
/rooms         list the rooms
/topic TEXT    set the topic of the room; without TEXT, show it
/search WORDS  find messages that contain all words
/quit          leave all rooms and exit
//text         send a text that begins with /
Tab            complete the name of a person in the room`;

/** Parses a line: a message, or a command that begins with `/`. */
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

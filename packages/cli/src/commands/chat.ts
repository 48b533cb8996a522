import { userInfo } from "node:os";
import { formatAddress } from "@landline/sockets";
import { Argument, type Command } from "commander";
import { isInteractive } from "../talk/mod.ts";
import { CommandFailed, interruptSignal, parseAddress } from "../terminal/mod.ts";

const CHAT_PORT = 8083;

const EXAMPLES = `
At a terminal, /help lists the commands. In a pipe, each line is one message; the command exits when the server has
stored all of them.

Examples:
  landline chat
  landline chat chat.example.com:8083 --room lobby --name ada
  echo 'The build is done' | landline chat --room builds --name builder`;

export function addChat(program: Command): void {
  program
    .command("chat")
    .description("join a room of a chat server")
    .addArgument(
      new Argument("[address]", "HOST:PORT of the server")
        .argParser(parseChatAddress)
        .default({ host: "localhost", port: CHAT_PORT }, `localhost:${CHAT_PORT}`),
    )
    .option("-r, --room <room>", "room to join", "lobby")
    .option("-n, --name <name>", "your name in the chat (default: your user name)")
    .addHelpText("after", EXAMPLES)
    .action(chat);
}

async function chat(address: { host: string; port: number }, flags: { room: string; name?: string }): Promise<void> {
  const signal = interruptSignal();
  // Loaded on demand: no other command needs the client.
  const { ChatClient, ChatError } = await import("@landline/client");
  const { tcpLink } = await import("@landline/client/tcp");
  await using client = new ChatClient(tcpLink(address), { username: flags.name ?? userName() });
  await client.connect({ signal }).catch((error: unknown) => {
    if (!(error instanceof ChatError) || error.code !== "not-a-chat-server") throw error;
    const action = `Cannot chat with ${formatAddress(address)}`;
    throw new CommandFailed(`${action}: the server does not speak the chat protocol`, { cause: error });
  });
  const { ChatConversation, chatPipe } = await import("../chat/mod.ts");
  await (isInteractive() ? ChatConversation.run(client, flags.room, signal) : chatPipe(client, flags.room, signal));
}

/** The user's name on this machine. `userInfo` throws for a user without an entry in the password file, as in containers. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return "guest";
  }
}

function parseChatAddress(text: string): { host: string; port: number } {
  return parseAddress(text, CHAT_PORT);
}

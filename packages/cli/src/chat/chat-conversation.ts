import { type ChatClient, type ChatClientEvent, TypingUsers } from "@landline/client";
import type { JoinedMessage } from "@landline/protocol";
import { CommandFailed, describeError, Prompt } from "../terminal/mod.ts";
import { CHAT_HELP, parseChatInput } from "./chat-input.ts";
import { EventLines, formatEntry, formatMessage, formatNotice, formatTyping } from "./chat-lines.ts";
import { readTooSlowly, UNREAD_BYTES_MAX } from "./unread-limit.ts";

/** Number of entries shown after joining a room. */
const HISTORY = 20;
/** Maximum number of messages that a search shows. */
const SEARCH = 20;
/** Maximum number of names that Tab shows, and how long it may take to find them, in milliseconds. */
const COMPLETIONS = 20;
const COMPLETE_MS = 1_000;

/** The interactive chat: typed lines go to the current room, events are printed above the prompt. */
export class ChatConversation {
  readonly #client: ChatClient;
  readonly #prompt: Prompt;
  readonly #ended = Promise.withResolvers<void>();
  readonly #events = new EventLines();
  /** The users who are typing in the current room. */
  readonly #typing = new TypingUsers(() => this.#prompt.setStatus(formatTyping(this.#typing.names)));
  /** The joined rooms; the last one is the current room. */
  #rooms: string[] = [];
  /** Settles when the latest join is done. */
  #joining: Promise<void> = Promise.resolve();

  private constructor(client: ChatClient) {
    this.#client = client;
    this.#prompt = new Prompt(
      "> ",
      {
        line: (line) => void this.#enter(line),
        end: () => this.#ended.resolve(),
        typed: (line) => this.#typed(line),
        complete: (word) => this.#complete(word),
      },
      { isLineErased: true },
    );
  }

  /** Joins the room and runs until the user quits or the server ends the session. */
  static async run(client: ChatClient, room: string, signal: AbortSignal): Promise<void> {
    const conversation = new ChatConversation(client);
    const interrupt = () => conversation.#ended.reject(signal.reason);
    signal.addEventListener("abort", interrupt, { once: true });
    const removeListener = client.on((event) => conversation.#happened(event));
    try {
      await Promise.race([conversation.#join(room), conversation.#ended.promise]);
      await conversation.#ended.promise;
      await Promise.race([conversation.#leaveAll(), conversation.#ended.promise]);
    } finally {
      removeListener();
      signal.removeEventListener("abort", interrupt);
      conversation.#typing.clear();
      conversation.#prompt.close();
    }
  }

  /** The current room; `""` when none is joined. */
  get #room(): string {
    return this.#rooms.at(-1) ?? "";
  }

  #happened(event: ChatClientEvent): void {
    if (event.type === "typing" && event.room === this.#room) this.#typing.typed(event.username);
    else if (event.type === "presence") this.#typing.stopped(event.username);
    else if (event.type === "message") this.#typing.stopped(event.message.username);
    this.#show(this.#events.format(event, this.#room));
    if (this.#prompt.unreadBytes > UNREAD_BYTES_MAX) this.#ended.reject(readTooSlowly());
    if (event.type !== "state" || event.state !== "closed") return;
    if (event.error === undefined) this.#ended.resolve();
    else this.#ended.reject(event.error);
  }

  /** Reports typing of messages, not of commands. The client limits how often it is sent. */
  #typed(line: string): void {
    if (parseChatInput(line).kind === "say") this.#client.typing(this.#room);
  }

  /** Returns the members whose names begin with the word. */
  async #complete(word: string): Promise<readonly string[]> {
    const signal = AbortSignal.timeout(COMPLETE_MS);
    return (await this.#client.users(this.#room, word, { limit: COMPLETIONS, signal })).users;
  }

  async #enter(line: string): Promise<void> {
    const input = parseChatInput(line);
    try {
      switch (input.kind) {
        case "nothing":
          return;
        case "say":
          return await this.#say(input.text);
        case "join":
          return await this.#join(input.room);
        case "leave":
          return await this.#leave();
        case "who": {
          const { room, members, count } = await this.#client.who(await this.#requireRoom());
          return this.#show(formatNotice(`In ${room}: ${list(members, count)}`));
        }
        case "rooms": {
          const { rooms } = await this.#client.rooms();
          const names = rooms.map(({ room, count }) => `${room} (${count})`);
          return this.#show(formatNotice(`Rooms: ${list(names, names.length)}`));
        }
        case "topic":
          return await this.#topic(input.topic);
        case "search":
          return await this.#search(input.query);
        case "help":
          return this.#show(CHAT_HELP);
        case "quit":
          return this.#ended.resolve();
        case "unknown":
          return this.#show(formatNotice(`Not a command: ${input.command}; see /help`));
      }
    } catch (error) {
      this.#show(formatNotice(describeError(error)));
    }
  }

  async #say(text: string): Promise<void> {
    const room = await this.#requireRoom();
    const { at = Date.now() } = await this.#client.chat(room, text);
    const username = this.#client.username ?? "";
    this.#show(formatMessage({ type: "chat", room, username, message: text, at }, this.#room));
  }

  #join(room: string): Promise<void> {
    const joining = this.#joinNow(room);
    this.#joining = joining.catch(() => undefined);
    return joining;
  }

  async #joinNow(room: string): Promise<void> {
    const joined: JoinedMessage = await this.#client.join(room, { history: HISTORY });
    this.#rooms = [...this.#rooms.filter((each) => each !== joined.room), joined.room];
    const lines = joined.entries.map((entry) => formatEntry(entry, joined.room)).filter((line) => line !== "");
    const notice = formatNotice(`In ${joined.room}: ${list(joined.members, joined.count)}`);
    const topic = joined.topic === undefined ? [] : [formatNotice(`Topic: ${joined.topic}`)];
    this.#show([...lines, notice, ...topic].join("\n"));
    this.#showRoom();
  }

  async #topic(topic: string): Promise<void> {
    const room = await this.#requireRoom();
    if (topic !== "") await this.#client.setTopic(room, topic);
    const current = topic === "" ? await this.#client.topic(room) : topic;
    this.#show(formatNotice(current === "" ? `${room} has no topic` : `Topic of ${room}: ${current}`));
  }

  async #search(query: string): Promise<void> {
    const { entries, more } = await this.#client.search(await this.#requireRoom(), query, { limit: SEARCH });
    const lines = entries.map((entry) => formatEntry(entry, this.#room));
    const found =
      entries.length === 0 ? "Nothing found" : `${entries.length} found${more ? "; there are older ones" : ""}`;
    this.#show([...lines, formatNotice(found)].join("\n"));
  }

  async #leave(): Promise<void> {
    const room = await this.#requireRoom();
    await this.#client.leave(room);
    this.#rooms = this.#rooms.filter((each) => each !== room);
    this.#show(formatNotice(`Left ${room}`));
    this.#showRoom();
  }

  async #leaveAll(): Promise<void> {
    if (this.#client.state !== "online") return;
    for (const room of this.#rooms) await this.#client.leave(room);
  }

  /** The current room. What was typed while a join is under way is meant for that room. */
  async #requireRoom(): Promise<string> {
    await this.#joining;
    if (this.#room === "") throw new CommandFailed("Not in a room; use /join ROOM");
    return this.#room;
  }

  #showRoom(): void {
    this.#typing.clear();
    this.#prompt.setStatus("");
    this.#prompt.setText(`${this.#room}> `);
  }

  #show(text: string): void {
    this.#prompt.print(text);
  }
}

function list(names: readonly string[], count: number): string {
  if (names.length === 0) return "nobody";
  const more = count - names.length;
  return more > 0 ? `${names.join(", ")} and ${more} more` : names.join(", ");
}

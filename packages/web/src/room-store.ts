import {
  ChatClient,
  type ChatClientEvent,
  type ChatClientState,
  ChatError,
  type ChatErrorCode,
  TypingUsers,
  websocketLink,
} from "@landline/client";
import { type ChatMessage, type JoinedMessage, nameKey } from "@landline/protocol";
import {
  type Conversation,
  discarded,
  entered,
  type Failure,
  gapShown,
  messageArrived,
  newest,
  olderShown,
  oldestSeq,
  presenceChanged,
  rejoined,
  seen,
  sending,
  sendingFailed,
  sent,
  topicChanged,
  unseen,
} from "./conversation.ts";
import { ReadMarker } from "./read-marker.ts";
import type { Place, TabSession } from "./tab-session.ts";

/** The connection's status, as shown to the user. */
export interface ConnectionStatus {
  readonly state: ChatClientState;
  /** When the next attempt starts, in milliseconds since 1970. */
  readonly retryAtMs?: number | undefined;
  /** Why the session ended for good. */
  readonly ending?: string | undefined;
}

const HISTORY_COUNT = 50;

/** One user in one room: the client, the conversation and its actions. Calls its listeners on each change. */
export class RoomStore {
  readonly room: string;
  readonly username: string;
  readonly #client: ChatClient;
  readonly #tab: TabSession;
  readonly #listeners = new Set<() => void>();
  #conversation: Conversation;
  #status: ConnectionStatus = { state: "online" };
  readonly #typing = new TypingUsers(() => this.#changed());
  readonly #readMarker: ReadMarker;
  #isAtEnd = true;
  #isLoadingOlder = false;
  #lastKey = 0;

  private constructor(client: ChatClient, tab: TabSession, username: string, joined: JoinedMessage) {
    const { room } = joined;
    this.room = room;
    this.username = username;
    this.#client = client;
    this.#tab = tab;
    this.#conversation = entered(joined);
    this.#readMarker = new ReadMarker((seq) => client.markRead(room, seq));
    client.on((event) => this.#happened(event));
    addEventListener("online", this.#wake);
    addEventListener("pagehide", this.#unloaded);
    document.addEventListener("visibilitychange", this.#lookedAway);
    this.#look();
  }

  /**
   * Connects and joins a room, and leaves the session's other rooms.
   *
   * @throws {ChatError} when the server cannot be reached or does not let the person in.
   */
  static async enter(url: URL, tab: TabSession, { username, room }: Place): Promise<RoomStore> {
    tab.enter({ username, room });
    const share = tab.shared === undefined ? {} : { share: tab.shared };
    const client = new ChatClient(websocketLink(url), { username, sessionStore: tab, ...share });
    try {
      const { rooms } = await client.connect();
      const joined = await client.join(room, { history: HISTORY_COUNT });
      for (const other of rooms) {
        if (nameKey(other) !== nameKey(joined.room)) client.leave(other).catch(() => undefined);
      }
      return new RoomStore(client, tab, client.username ?? username, joined);
    } catch (error) {
      // After a passing failure, the next attempt resumes the session: nobody else can have taken its name.
      if (isPassing(error) || (error instanceof ChatError && error.code === "bye")) {
        client.disconnect();
      } else {
        await client.close();
        tab.leave();
      }
      throw error;
    }
  }

  get conversation(): Conversation {
    return this.#conversation;
  }

  get status(): ConnectionStatus {
    return this.#status;
  }

  /** Names of the users who are typing. */
  get typingUsers(): readonly string[] {
    return this.#typing.names;
  }

  /** Number of messages that arrived while the page was hidden. */
  get newCount(): number {
    const { unread } = this.#conversation;
    return document.hidden && unread?.isSeen === false ? unread.count : 0;
  }

  /** The end of the list scrolled into view or out of view. */
  lookAt({ isAtEnd }: { readonly isAtEnd: boolean }): void {
    this.#isAtEnd = isAtEnd;
    if (this.#look()) this.#changed();
  }

  /** The user is writing. */
  typing(): void {
    this.#client.typing(this.room);
  }

  get isLoadingOlder(): boolean {
    return this.#isLoadingOlder;
  }

  /** Adds a listener for changes. @returns a function that removes it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Sends a text. The conversation shows success or failure. */
  say(text: string): void {
    this.#lastKey += 1;
    void this.#send(this.#lastKey, text);
  }

  /** Sends a failed message again. */
  retry(key: number): void {
    const failed = this.#conversation.outgoing.find((each) => each.key === key);
    if (failed !== undefined) void this.#send(key, failed.text);
  }

  /** Removes a failed message. @returns its text. */
  takeBack(key: number): string {
    const text = this.#conversation.outgoing.find((each) => each.key === key)?.text ?? "";
    this.#show(discarded(this.#conversation, key));
    return text;
  }

  async showOlder(): Promise<void> {
    const before = oldestSeq(this.#conversation);
    if (this.#isLoadingOlder || before === undefined) return;
    this.#isLoadingOlder = true;
    this.#changed();
    try {
      const history = await this.#client.history(this.room, { before, limit: HISTORY_COUNT });
      this.#conversation = olderShown(this.#conversation, history);
    } catch {
      // The button stays for a retry; the banner shows a lost connection.
    } finally {
      this.#isLoadingOlder = false;
      this.#changed();
    }
  }

  retryNow(): void {
    this.#client.reconnectNow();
  }

  /** Leaves the room and ends the session. */
  leave(): void {
    removeEventListener("online", this.#wake);
    removeEventListener("pagehide", this.#unloaded);
    document.removeEventListener("visibilitychange", this.#lookedAway);
    this.#listeners.clear();
    this.#readMarker.close();
    this.#typing.clear();
    if (this.#client.state === "online") void this.#client.close();
    else this.#client.disconnect();
    this.#tab.leave();
  }

  readonly #wake = (): void => {
    if (!document.hidden) this.#client.reconnectNow();
  };

  /** The page ends. A session that the next page cannot resume must not hold the name. */
  readonly #unloaded = ({ persisted }: PageTransitionEvent): void => {
    if (!persisted && !this.#tab.isKept) void this.#client.close();
  };

  /** The page was hidden or shown. */
  readonly #lookedAway = (): void => {
    if (document.hidden) this.#readMarker.flush();
    else this.#look();
    this.#changed();
    this.#wake();
  };

  get #isInView(): boolean {
    return this.#isAtEnd && !document.hidden;
  }

  /** Marks the visible messages as read. @returns whether any was unread. */
  #look(): boolean {
    if (!this.#isInView) return false;
    this.#readMarker.seen(newest(this.#conversation));
    const before = this.#conversation;
    this.#conversation = seen(before);
    return this.#conversation !== before;
  }

  async #send(key: number, text: string): Promise<void> {
    this.#show(sending(this.#conversation, key, text));
    try {
      const ack = await this.#client.chat(this.room, text);
      this.#show(sent(this.#conversation, key, this.username, ack));
    } catch (error) {
      this.#show(sendingFailed(this.#conversation, key, failureOf(error)));
    }
  }

  #happened(event: ChatClientEvent): void {
    switch (event.type) {
      case "message":
        this.#typing.stopped(event.message.username);
        this.#showNew(messageArrived(this.#conversation, event.message), [event.message]);
        break;
      case "topic":
        this.#show(topicChanged(this.#conversation, event));
        break;
      case "typing":
        this.#typing.typed(event.username);
        break;
      case "presence":
        this.#typing.stopped(event.username);
        if (event.username !== this.username) this.#show(presenceChanged(this.#conversation, event));
        break;
      case "rejoined":
        this.#showNew(rejoined(this.#conversation, event.joined, event.missed, event.recovered), event.missed);
        break;
      case "gap":
        this.#show(gapShown(this.#conversation));
        break;
      case "state":
        this.#setStatus({
          state: event.state,
          retryAtMs: event.retryAtMs,
          ending: event.state === "closed" ? event.error?.message : undefined,
        });
        break;
      case "dropped":
        // The session has only this room.
        void this.#client.close();
        this.#setStatus({ state: "closed", ending: event.error.message });
        break;
      case "bye":
      case "error":
        break; // A `state` event follows `bye`. An error without a request means nothing to the user.
    }
  }

  #setStatus(status: ConnectionStatus): void {
    this.#status = status;
    this.#changed();
  }

  /** Adds new messages, and counts them as unread when the user is not looking. */
  #showNew(conversation: Conversation, messages: readonly ChatMessage[]): void {
    const others = messages.filter(({ username }) => username !== this.username);
    this.#show(this.#isInView ? conversation : unseen(conversation, others));
  }

  #show(conversation: Conversation): void {
    this.#conversation = conversation;
    this.#look();
    this.#changed();
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Codes of temporary failures: the same request can succeed later. */
const PASSING: ReadonlySet<ChatErrorCode> = new Set([
  "busy",
  "disconnected",
  "internal",
  "protocol-error",
  "queue-full",
  "rate-limited",
  "timeout",
  "unavailable",
]);

function isPassing(error: unknown): boolean {
  return error instanceof ChatError && PASSING.has(error.code);
}

function failureOf(error: unknown): Failure {
  return { message: textOf(error), mayRetry: isPassing(error) };
}

/** The text of an error for the user. */
export function textOf(error: unknown): string {
  if (error instanceof ChatError && error.code === "name-in-use") {
    return "This name is already in use. Choose another one.";
  }
  if (error instanceof ChatError && error.code === "disconnected") {
    return "The server cannot be reached. Check the connection and try again.";
  }
  return error instanceof Error ? error.message : String(error);
}

/** Whether another room, not another name, would help. */
export function isAboutRoom(error: unknown): boolean {
  return error instanceof ChatError && error.code === "room-invalid";
}

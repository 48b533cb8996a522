import type {
  AckMessage,
  HelloMessage,
  HistoryMessage,
  JoinedMessage,
  KickedMessage,
  RequestOf,
  RoomsMessage,
  SearchMessage,
  ServerMessage,
  TopicMessage,
  UsersMessage,
  WhoMessage,
} from "@landline/protocol";
import type { ChatConnection } from "./chat-connection.ts";
import { asError, ChatError, type ChatErrorCode } from "./chat-error.ts";
import { ChatSession } from "./chat-session.ts";
import type {
  ChatClientOptions,
  ConnectResult,
  HistoryOptions,
  JoinOptions,
  SearchOptions,
  UsersOptions,
  WaitOptions,
} from "./client-options.ts";
import type { ChatClientEvent, ChatClientState } from "./events.ts";
import { JoinedRooms } from "./joined-rooms.ts";
import type { OpenLink } from "./link.ts";
import { Requests } from "./requests.ts";
import { planResume } from "./resume.ts";

/**
 * A chat client over any link.
 *
 * When the link breaks, the client reconnects with back-off and jitter, restores its name and rooms, and emits
 * `rejoined` with the missed messages of each room. It resends unacknowledged chats; the server removes duplicates by id.
 * While the link is down, {@link chat} queues messages. Other calls reject with `disconnected`.
 *
 * On `rate-limited` the client waits for the time that the server named, 1 second if none, and resends in order. On
 * `in-doubt` it does so after 1 second. It gives up a request after one minute. {@link close}, or a `bye` without
 * `reconnect`, ends the client.
 *
 * @example
 * ```ts
 * await using client = new ChatClient(websocketLink("ws://localhost:8083/ws"), { username: "ada" });
 * client.on((event) => {
 *   if (event.type === "message") console.log(`${event.message.username}: ${event.message.message}`);
 * });
 * await client.connect();
 * await client.join("lobby");
 * await client.chat("lobby", "Hello!");
 * ```
 */
export class ChatClient implements AsyncDisposable {
  readonly #listeners = new Set<(event: ChatClientEvent) => void>();
  readonly #session: ChatSession;
  readonly #requests: Requests;
  readonly #rooms: JoinedRooms = new JoinedRooms((event) => this.#emit(event));
  #username: string | undefined;
  /** Whether this connection has a name on the server. */
  #isNamed = false;

  constructor(openLink: OpenLink, options: ChatClientOptions = {}) {
    this.#username = options.username?.normalize("NFC");
    const timeoutMs = options.ackTimeoutMs ?? 10_000;
    this.#requests = new Requests({ idPrefix: options.idPrefix, queueMax: options.queueMax ?? 1000, timeoutMs });
    this.#session = new ChatSession(
      openLink,
      {
        hello: (hello, connection) => this.#greeted(hello, connection),
        message: (message) => this.#receive(message),
        lost: (error) => this.#lost(error),
        ended: (error) => {
          this.#rooms.clear();
          this.#requests.close(error);
        },
        state: (event) => this.#emit(event),
      },
      {
        minMs: options.backoffMinMs ?? 500,
        maxMs: options.backoffMaxMs ?? 15_000,
        timeoutMs,
        store: options.sessionStore,
        share: options.share,
        random: options.random ?? Math.random,
        nextId: () => this.#requests.nextId(),
      },
    );
  }

  get state(): ChatClientState {
    return this.#session.state;
  }

  /**
   * The name from the options, from `join`, or from the resumed session. In Unicode normalization form NFC, as in the
   * server's messages. `undefined` before it is known.
   */
  get username(): string | undefined {
    return this.#username;
  }

  /**
   * Connects, and resumes the session of the `sessionStore`, if any. Resolves when the server has answered `hello`. After
   * that, the client reconnects on its own. Can be called again after it rejected. On abort it rejects with the signal's
   * reason.
   *
   * @throws {ChatError} `disconnected` when the link cannot be opened.
   * @throws {ChatError} `timeout` when the server does not answer within `ackTimeoutMs`.
   * @throws {ChatError} `not-a-chat-server` when the answer is not the chat's protocol.
   * @throws {ChatError} `bye` when the server ends the session.
   * @throws {ChatError} with the server's code when it refuses `hello`.
   * @throws {ChatError} `closed` when the client is closed.
   * @throws {TypeError} when the client is already connecting or online.
   */
  async connect({ signal }: WaitOptions = {}): Promise<ConnectResult> {
    const { rooms = [] } = await this.#session.connect(signal);
    return { rooms };
  }

  /**
   * Joins a room. The client rejoins it after each reconnect, until {@link leave}.
   *
   * @throws {ChatError} with the server's code when it refuses.
   * @throws {ChatError} `disconnected` without a connection, or when it breaks before the answer.
   */
  async join(room: string, { username, history, signal }: JoinOptions = {}): Promise<JoinedMessage> {
    const name = username ?? (this.#isNamed ? undefined : this.#username);
    const joined = await this.#requests.ask<"join">(
      { type: "join", room, ...given({ username: name, history }) },
      signal,
    );
    this.#username = username?.normalize("NFC") ?? this.#username;
    return joined;
  }

  /**
   * Sends a message to a joined room. While the link is down, the message is queued and sent after the reconnect.
   * Resolves when the message is in the room's log. The author gets no `message` event for it.
   *
   * @throws {ChatError} with the server's code when it refuses.
   * @throws {ChatError} `not-joined` when the client is not in the room.
   * @throws {ChatError} `queue-full` when `queueMax` calls wait for an answer.
   * @throws {ChatError} `closed` when the client closes first.
   */
  async chat(room: string, message: string, { signal }: WaitOptions = {}): Promise<AckMessage> {
    const { state } = this;
    if (state !== "online" && state !== "closed" && this.#rooms.get(room) === undefined) {
      throw new ChatError("not-joined", `Cannot send: not in room ${room}`);
    }
    return this.#requests.ask<"chat">({ type: "chat", room, message }, signal);
  }

  /**
   * Leaves a room. While the link is down, it resolves at once, and the client tells the server after the reconnect.
   *
   * @throws {ChatError} with the server's code when it refuses.
   */
  async leave(room: string): Promise<void> {
    const wasJoined = this.#rooms.leave(room);
    if (wasJoined && this.state === "connecting") return;
    try {
      await this.#requests.ask<"leave">({ type: "leave", room });
    } catch (error) {
      if (!wasJoined || !(error instanceof ChatError) || !LINK_FAILURES.has(error.code)) throw error;
    }
  }

  /** Lists the members of a room: at most 200 names, and the count of all. */
  who(room: string, { signal }: WaitOptions = {}): Promise<WhoMessage> {
    return this.#requests.ask<"who">({ type: "who", room }, signal);
  }

  /** Completes a name: lists members of a joined room whose names begin with `prefix`, in any case, at most `limit`. */
  users(room: string, prefix: string, { limit, signal }: UsersOptions = {}): Promise<UsersMessage> {
    return this.#requests.ask<"users">({ type: "users", room, prefix, ...given({ limit }) }, signal);
  }

  /** Lists the rooms, with the count of their members. */
  rooms({ signal }: WaitOptions = {}): Promise<RoomsMessage> {
    return this.#requests.ask<"rooms">({ type: "rooms" }, signal);
  }

  /** Reads entries of a room's log, oldest first. */
  history(room: string, { before, after, limit, signal }: HistoryOptions = {}): Promise<HistoryMessage> {
    return this.#requests.ask<"history">({ type: "history", room, ...given({ before, after, limit }) }, signal);
  }

  /** Finds the newest messages of a room that contain all words of the query. They come oldest first. */
  search(room: string, query: string, { before, limit, signal }: SearchOptions = {}): Promise<SearchMessage> {
    return this.#requests.ask<"search">({ type: "search", room, query, ...given({ before, limit }) }, signal);
  }

  /** Returns a room's topic; `""` when it has none. The answer to {@link join} holds it too. */
  async topic(room: string, { signal }: WaitOptions = {}): Promise<string> {
    const answer = await this.#requests.ask<"topic">({ type: "topic", room }, signal);
    return (answer as TopicMessage).topic;
  }

  /**
   * Sets a room's topic: one line of at most `topicBytesMax` bytes. `""` removes it.
   * Resolves when the change is in the room's log. The author gets no `topic` event for it.
   */
  async setTopic(room: string, topic: string, { signal }: WaitOptions = {}): Promise<AckMessage> {
    return (await this.#requests.ask<"topic">({ type: "topic", room, topic }, signal)) as AckMessage;
  }

  /**
   * Tells a room that the user is writing. Call it for every key: it sends at most one message per 3 seconds and room.
   * For the others the user stops writing after 6 seconds without it, or when the message arrives.
   */
  typing(room: string): void {
    if (this.#requests.isFlowing && this.#rooms.startsTyping(room)) this.#requests.tell({ type: "typing", room });
  }

  /** Marks a room as read up to `seq`. `unread` in the next answer to {@link join} counts from there. */
  async markRead(room: string, seq: number, { signal }: WaitOptions = {}): Promise<void> {
    await this.#requests.ask<"read">({ type: "read", room, seq }, signal);
  }

  /** Sends a ping. @returns the round trip in milliseconds. */
  async ping({ signal }: WaitOptions = {}): Promise<number> {
    const startMs = performance.now();
    await this.#requests.ask<"ping">({ type: "ping" }, signal);
    return performance.now() - startMs;
  }

  /** Adds a listener for all events. An error that it throws becomes an uncaught exception. @returns a function that removes it. */
  on(listener: (event: ChatClientEvent) => void): () => void {
    const own = (event: ChatClientEvent) => listener(event);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /**
   * Connects now instead of waiting for the back-off. When online, it sends a ping, so that a dead link is noticed.
   * For a "retry" button, and for pages that wake up or get an `online` event.
   */
  reconnectNow(): void {
    if (this.#session.retryNow()) return;
    if (this.state === "online") this.ping().catch(() => undefined); // The timeout for the answer ends a dead link.
  }

  /**
   * Ends the session and closes the client for good. The user leaves the session's rooms at once, and the `sessionStore`
   * is cleared. Pending calls reject with `closed`. Resolves when the server has ended the session, after at most 1 second.
   * Without a connection, the session ends on the server when it expires. Idempotent.
   */
  close(): Promise<void> {
    return this.#session.end(closed());
  }

  /**
   * Closes the client for good and keeps the session. As after a lost connection, the server keeps the session's name and
   * rooms for `resumeMs`, and another client with the same `sessionStore` resumes it. Pending calls reject with `closed`.
   * Idempotent.
   */
  disconnect(): void {
    this.#session.close(closed());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #greeted(hello: HelloMessage, connection: ChatConnection): void {
    this.#isNamed = hello.username !== undefined;
    const requests = this.#requests;
    this.#rooms.resumed(hello.rooms ?? []);
    const { tails, unjoined } = this.#rooms;
    const plan = planResume({ hello, username: this.#username, rooms: tails, unjoined, chats: requests.chats });
    this.#username = hello.username ?? this.#username;
    requests.start(connection, hello);
    for (const request of plan.leave) requests.tell({ ...request, id: requests.nextId() });
    for (const request of plan.join) this.#rejoin(request, connection);
    for (const { id } of plan.resend) requests.resend(id);
    for (const id of plan.drop) requests.fail(id, new ChatError("not-joined", "Cannot send: the room was left"));
  }

  #rejoin(request: RequestOf<"join">, connection: ChatConnection): void {
    this.#requests.rejoin(request).catch((error: ChatError) => {
      if (connection !== this.#session.connection) return; // The link broke again; the next connection rejoins the room.
      this.#rooms.leave(request.room);
      this.#emit({ type: "dropped", room: request.room, error });
    });
  }

  /** The server lost entries of the room; the answer to a join has them. */
  #resync(room: string): void {
    const { connection } = this.#session;
    const tail = this.#rooms.interrupt(room);
    if (tail === undefined || connection === undefined) return;
    this.#rejoin({ type: "join", room: tail.room, after: tail.position }, connection);
  }

  /** The user was taken out of the room. A rejoin on its way enters it again. */
  #kicked({ room, username, reason }: KickedMessage): void {
    if (!this.#rooms.get(room)?.isLive) return;
    this.#rooms.leave(room);
    const text = `${username} took you out of the room${reason === "" ? "" : `: ${reason}`}`;
    this.#emit({ type: "dropped", room, error: new ChatError("kicked", text) });
  }

  #receive(message: ServerMessage): void {
    switch (message.type) {
      case "chat":
      case "set":
        this.#rooms.arrived(message);
        return;
      case "resync":
        this.#resync(message.room);
        return;
      case "kicked":
        this.#kicked(message);
        return;
      case "presence":
      case "typing":
      case "read":
        this.#rooms.told(message);
        return;
      case "joined":
        this.#joined(message);
        return;
      case "ack":
        if (message.seq !== undefined) this.#rooms.get(message.room)?.acknowledged(message.seq);
        this.#requests.answer(message);
        return;
      case "who":
      case "users":
      case "rooms":
      case "history":
      case "search":
      case "topic":
      case "pong":
        this.#requests.answer(message);
        return;
      case "error":
        if (this.#requests.holdsBack(message, (room) => this.#rooms.get(room)?.isLive === false)) return;
        if (!this.#requests.answer(message)) this.#emit({ type: "error", error: asError(message) });
        return;
      case "bye":
        this.#emit(message);
        return;
      case "welcome":
      case "notification":
      case "hello":
      case "ping":
        return; // Sent to version 1 only, or handled by ChatConnection.
      default:
        message satisfies never;
    }
  }

  #joined(joined: JoinedMessage): void {
    this.#isNamed = true;
    const isAnswer = this.#requests.answer(joined);
    if (this.#rooms.resume(joined)) return;
    if (isAnswer) {
      this.#rooms.enter(joined);
    } else if (this.#rooms.get(joined.room) === undefined) {
      // The caller aborted the join before its answer came.
      this.#requests.tell({ type: "leave", id: this.#requests.nextId(), room: joined.room });
    }
  }

  #lost(error: ChatError): void {
    this.#isNamed = false;
    this.#rooms.pause();
    const code = LINK_FAILURES.has(error.code) ? error.code : "disconnected";
    this.#requests.pause(new ChatError(code, error.message, { cause: error }));
  }

  #emit(event: ChatClientEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        // A bug in the listener must not break the link.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

/** Codes of a broken link. The calls that it fails keep them. */
const LINK_FAILURES: ReadonlySet<ChatErrorCode> = new Set(["disconnected", "timeout", "protocol-error"]);

function closed(): ChatError {
  return new ChatError("closed", "The chat client is closed");
}

/** Copies the fields that are not `undefined`. */
function given<Fields extends object>(fields: Fields): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as typeof fields;
}

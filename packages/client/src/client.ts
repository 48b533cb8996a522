import type {
  AckMessage,
  HelloMessage,
  HistoryMessage,
  JoinedMessage,
  RequestOf,
  RoomsMessage,
  SearchMessage,
  ServerMessage,
  TopicMessage,
  WhoMessage,
} from "@landline/protocol";
import type { ChatConnection } from "./chat-connection.ts";
import { asError, ChatError, type ChatErrorCode } from "./chat-error.ts";
import { ChatSession } from "./chat-session.ts";
import type { ChatClientOptions, HistoryOptions, JoinOptions, SearchOptions, WaitOptions } from "./client-options.ts";
import type { ChatClientEvent, ChatClientState } from "./events.ts";
import { JoinedRooms } from "./joined-rooms.ts";
import type { OpenLink } from "./link.ts";
import { Requests } from "./requests.ts";
import { planResume } from "./resume.ts";

/**
 * A member of chat rooms, over any link.
 *
 * When the link breaks, it connects again by itself (back-off with jitter), takes its name and rooms back, reports
 * what it missed in each room (`rejoined`), and sends again what was not acknowledged; the server stores it once.
 * Chats that are sent meanwhile wait for that; other calls reject with `disconnected`.
 * Where the server says `rate-limited`, it waits as long as it was told and sends again, in order, for up to a minute.
 * The server's goodbye for good, or {@link close}, ends it.
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
  /** Whether the server knows the name, on this connection. */
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
        random: options.random ?? Math.random,
        nextId: () => this.#requests.nextId(),
      },
    );
  }

  get state(): ChatClientState {
    return this.#session.state;
  }

  /**
   * The name, as far as it is known: given in the options, with `join`, or taken back by the server. It is composed (NFC),
   * as the server writes it in what it sends.
   */
  get username(): string | undefined {
    return this.#username;
  }

  /**
   * Connects. Called once, or again after it failed.
   *
   * @returns when the server answered `hello`; later breaks are the client's own business.
   * @throws {ChatError} `disconnected`, `not-a-chat-server`, `timeout`, `bye`, or the server's code, when the first
   * attempt fails.
   * @throws {TypeError} when the client is connecting or online already.
   */
  connect({ signal }: WaitOptions = {}): Promise<void> {
    return this.#session.connect(signal);
  }

  /**
   * Enters a room, and stays in it over reconnects until {@link leave}.
   *
   * @throws {ChatError} with the server's code, or `disconnected`.
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
   * Says something in a room that was joined. While the link is broken it waits, and is sent when the client is back.
   *
   * @returns when the message is in the room's log; it does not come back as an event.
   * @throws {ChatError} with the server's code, `not-joined`, or `queue-full`.
   */
  async chat(room: string, message: string, { signal }: WaitOptions = {}): Promise<AckMessage> {
    const { state } = this;
    if (state !== "online" && state !== "closed" && this.#rooms.get(room) === undefined) {
      throw new ChatError("not-joined", `Cannot send: not in room ${room}`);
    }
    return this.#requests.ask<"chat">({ type: "chat", room, message }, signal);
  }

  /** Leaves a room. Without a link it is left at once, and the server is told when the client is back. */
  async leave(room: string): Promise<void> {
    const wasJoined = this.#rooms.leave(room);
    if (wasJoined && this.state === "connecting") return;
    try {
      await this.#requests.ask<"leave">({ type: "leave", room });
    } catch (error) {
      if (!wasJoined || !(error instanceof ChatError) || !LINK_FAILURES.has(error.code)) throw error;
    }
  }

  /** Who is in a room. */
  who(room: string, { signal }: WaitOptions = {}): Promise<WhoMessage> {
    return this.#requests.ask<"who">({ type: "who", room }, signal);
  }

  /** The rooms there are. */
  rooms({ signal }: WaitOptions = {}): Promise<RoomsMessage> {
    return this.#requests.ask<"rooms">({ type: "rooms" }, signal);
  }

  /** Reads a room's past, oldest first. */
  history(room: string, { before, after, limit, signal }: HistoryOptions = {}): Promise<HistoryMessage> {
    return this.#requests.ask<"history">({ type: "history", room, ...given({ before, after, limit }) }, signal);
  }

  /** Looks for messages of a room that have all the words, the newest; oldest first. */
  search(room: string, query: string, { before, limit, signal }: SearchOptions = {}): Promise<SearchMessage> {
    return this.#requests.ask<"search">({ type: "search", room, query, ...given({ before, limit }) }, signal);
  }

  /** A room's topic; empty where it has none. It also stands in the answer to {@link join}. */
  async topic(room: string, { signal }: WaitOptions = {}): Promise<string> {
    const answer = await this.#requests.ask<"topic">({ type: "topic", room }, signal);
    return (answer as TopicMessage).topic;
  }

  /**
   * Sets a room's topic: one line, of at most `topicBytesMax`; an empty one takes it away.
   *
   * @returns when it is in the room's log; it does not come back as an event.
   */
  async setTopic(room: string, topic: string, { signal }: WaitOptions = {}): Promise<AckMessage> {
    return (await this.#requests.ask<"topic">({ type: "topic", room, topic }, signal)) as AckMessage;
  }

  /**
   * Tells a room that one is writing; for every key that is pressed, as it is sent every few seconds at most. The others
   * take it for over after a few seconds without it, or with the message.
   */
  typing(room: string): void {
    if (this.#requests.isFlowing && this.#rooms.startsTyping(room)) this.#requests.tell({ type: "typing", room });
  }

  /** Says that a room was read up to this `seq`; `unread` in the next answer to {@link join} counts from there. */
  async markRead(room: string, seq: number, { signal }: WaitOptions = {}): Promise<void> {
    await this.#requests.ask<"read">({ type: "read", room, seq }, signal);
  }

  /** Asks the server for a sign of life. @returns the round trip in milliseconds. */
  async ping({ signal }: WaitOptions = {}): Promise<number> {
    const startMs = performance.now();
    await this.#requests.ask<"ping">({ type: "ping" }, signal);
    return performance.now() - startMs;
  }

  /** Adds a listener. @returns a function that removes it. */
  on(listener: (event: ChatClientEvent) => void): () => void {
    const own = (event: ChatClientEvent) => listener(event);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /**
   * Ends the wait before the next attempt, or looks whether the link still works: for a user who does not want to
   * wait, and for pages that wake up or hear that the network is back.
   */
  reconnectNow(): void {
    if (this.#session.retryNow()) return;
    if (this.state === "online") this.ping().catch(() => undefined); // No answer breaks the link by itself.
  }

  /** Ends the client for good; what waits rejects with `closed`. Idempotent. */
  async close(): Promise<void> {
    this.#session.close(new ChatError("closed", "The chat client is closed"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #greeted(hello: HelloMessage, connection: ChatConnection): void {
    this.#isNamed = hello.username !== undefined;
    const requests = this.#requests;
    const plan = planResume({ hello, username: this.#username, rooms: this.#rooms.tails, chats: requests.chats });
    this.#username = hello.username ?? this.#username;
    requests.start(connection, hello);
    for (const request of plan.leave) requests.tell({ ...request, id: requests.nextId() });
    for (const request of plan.join) this.#rejoin(request, connection);
    for (const { id } of plan.resend) requests.resend(id);
    for (const id of plan.drop) requests.fail(id, new ChatError("not-joined", "Cannot send: the room was left"));
  }

  #rejoin(request: RequestOf<"join">, connection: ChatConnection): void {
    this.#requests.rejoin(request).catch((error: ChatError) => {
      if (connection !== this.#session.connection) return; // It broke again, and the room is joined by the next one.
      this.#rooms.leave(request.room);
      this.#emit({ type: "dropped", room: request.room, error });
    });
  }

  #receive(message: ServerMessage): void {
    switch (message.type) {
      case "chat":
      case "set":
        this.#rooms.arrived(message);
        return;
      case "presence":
      case "typing":
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
        return; // For version 1, or the connection's own.
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
        // The listener's own bug: reported as one, and no reason to break the link.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

/** A connection that ended with one of these has left its rooms. */
const LINK_FAILURES: ReadonlySet<ChatErrorCode> = new Set(["disconnected", "timeout", "protocol-error"]);

/** Leaves out what was not given, as the wire knows no `undefined`. */
function given<Fields extends object>(fields: Fields): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as typeof fields;
}

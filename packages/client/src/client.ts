import type {
  AckMessage,
  ByeMessage,
  EntryMessage,
  ErrorMessage,
  HelloMessage,
  HistoryMessage,
  JoinedMessage,
  RoomsMessage,
  SearchMessage,
  ServerMessage,
  TopicMessage,
  WhoMessage,
} from "@landline/protocol";
import { ChatConnection } from "./chat-connection.ts";
import { asError, ChatError } from "./chat-error.ts";
import type { ChatClientOptions, HistoryOptions, JoinOptions, SearchOptions, WaitOptions } from "./client-options.ts";
import type { ChatClientEvent, ChatClientState, ChatStateEvent } from "./events.ts";
import type { OpenLink } from "./link.ts";
import { type Answers, type Asked, PendingRequests } from "./pending-requests.ts";
import { RatePause } from "./rate-pause.ts";
import { planResume, RoomTail, roomKey } from "./resume.ts";
import { RetryTimer } from "./retry-timer.ts";

/** A room is told at most this often that one is writing, in milliseconds. */
const TYPING_MS = 3_000;

type Unasked<Type extends keyof Answers> = Omit<Asked<Type>, "id">;

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
  readonly #openLink: OpenLink;
  readonly #idPrefix: string;
  readonly #queueMax: number;
  readonly #ackTimeoutMs: number;
  readonly #listeners = new Set<(event: ChatClientEvent) => void>();
  readonly #requests: PendingRequests;
  readonly #retry: RetryTimer;
  readonly #pause: RatePause;
  /** The rooms this client wants to be in, by `roomKey`. */
  readonly #rooms = new Map<string, RoomTail>();
  #state: ChatClientState = "offline";
  #username: string | undefined;
  /** Whether the server knows the name, on this connection. */
  #isNamed = false;
  #session: string | undefined;
  /** Longest request that the server takes, in bytes. */
  #frameBytesMax = Number.POSITIVE_INFINITY;
  #connection: ChatConnection | undefined;
  /** The call of `connect` that waits. */
  #connecting: PromiseWithResolvers<void> | undefined;
  #lastId = 0;
  /** Connections so far. */
  #attempts = 0;
  /** Why it is closed. */
  #end = new ChatError("closed", "The chat client is closed");

  constructor(openLink: OpenLink, options: ChatClientOptions = {}) {
    this.#openLink = openLink;
    this.#username = options.username;
    this.#idPrefix = options.idPrefix ?? randomPrefix();
    this.#queueMax = options.queueMax ?? 1000;
    this.#ackTimeoutMs = options.ackTimeoutMs ?? 10_000;
    const silent = `Connection lost: no answer within ${this.#ackTimeoutMs} ms`;
    this.#requests = new PendingRequests({
      timeoutMs: this.#ackTimeoutMs,
      timeout: () => this.#connection?.fail(new ChatError("timeout", silent)),
    });
    this.#retry = new RetryTimer({
      minMs: options.backoffMinMs ?? 500,
      maxMs: options.backoffMaxMs ?? 15_000,
      random: options.random ?? Math.random,
      retry: () => this.#dial(),
    });
    this.#pause = new RatePause(() => {
      for (const request of this.#requests.release()) this.#connection?.send(request);
    });
  }

  get state(): ChatClientState {
    return this.#state;
  }

  /** The name, as far as it is known: given in the options, with `join`, or taken back by the server. */
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
  async connect({ signal }: WaitOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    if (this.#state === "closed") throw this.#end;
    if (this.#state !== "offline") throw new TypeError(`Cannot connect: the client is ${this.#state} already`);
    const connecting = Promise.withResolvers<void>();
    this.#connecting = connecting;
    const abort = () => {
      if (this.#connecting !== connecting) return; // It is over, and the caller will hear so.
      this.#connection?.close();
      this.#connectFailed(connecting, signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    this.#dial();
    try {
      await connecting.promise;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /**
   * Enters a room, and stays in it over reconnects until {@link leave}.
   *
   * @throws {ChatError} with the server's code, or `disconnected`.
   */
  async join(room: string, { username, history, signal }: JoinOptions = {}): Promise<JoinedMessage> {
    const name = username ?? (this.#isNamed ? undefined : this.#username);
    const joined = await this.#ask<"join">({ type: "join", room, ...given({ username: name, history }) }, signal);
    this.#username = name ?? this.#username;
    return joined;
  }

  /**
   * Says something in a room that was joined. While the link is broken it waits, and is sent when the client is back.
   *
   * @returns when the message is in the room's log; it does not come back as an event.
   * @throws {ChatError} with the server's code, `not-joined`, or `queue-full`.
   */
  async chat(room: string, message: string, { signal }: WaitOptions = {}): Promise<AckMessage> {
    if (this.#state !== "online" && this.#state !== "closed" && !this.#rooms.has(roomKey(room))) {
      throw new ChatError("not-joined", `Cannot send: not in room ${room}`);
    }
    return this.#ask<"chat">({ type: "chat", room, message }, signal);
  }

  /** Leaves a room. Without a link it is left at once, and the server is told when the client is back. */
  async leave(room: string): Promise<void> {
    const wasJoined = this.#rooms.delete(roomKey(room));
    if (wasJoined && this.#state === "connecting") return;
    try {
      await this.#ask<"leave">({ type: "leave", room });
    } catch (error) {
      const isLeftAnyway = error instanceof ChatError && (error.code === "disconnected" || error.code === "timeout");
      if (!wasJoined || !isLeftAnyway) throw error;
    }
  }

  /** Who is in a room. */
  who(room: string, { signal }: WaitOptions = {}): Promise<WhoMessage> {
    return this.#ask<"who">({ type: "who", room }, signal);
  }

  /** The rooms there are. */
  rooms({ signal }: WaitOptions = {}): Promise<RoomsMessage> {
    return this.#ask<"rooms">({ type: "rooms" }, signal);
  }

  /** Reads a room's past, oldest first. */
  history(room: string, { before, after, limit, signal }: HistoryOptions = {}): Promise<HistoryMessage> {
    return this.#ask<"history">({ type: "history", room, ...given({ before, after, limit }) }, signal);
  }

  /** Looks for messages of a room that have all the words, the newest; oldest first. */
  search(room: string, query: string, { before, limit, signal }: SearchOptions = {}): Promise<SearchMessage> {
    return this.#ask<"search">({ type: "search", room, query, ...given({ before, limit }) }, signal);
  }

  /** A room's topic; empty where it has none. It also stands in the answer to {@link join}. */
  async topic(room: string, { signal }: WaitOptions = {}): Promise<string> {
    const answer = await this.#ask<"topic">({ type: "topic", room }, signal);
    return (answer as TopicMessage).topic;
  }

  /**
   * Sets a room's topic: one line, of at most `topicBytesMax`; an empty one takes it away.
   *
   * @returns when it is in the room's log; it does not come back as an event.
   */
  async setTopic(room: string, topic: string, { signal }: WaitOptions = {}): Promise<AckMessage> {
    return (await this.#ask<"topic">({ type: "topic", room, topic }, signal)) as AckMessage;
  }

  /**
   * Tells a room that one is writing; for every key that is pressed, as it is sent every few seconds at most. The others
   * take it for over after a few seconds without it, or with the message.
   */
  typing(room: string): void {
    const tail = this.#rooms.get(roomKey(room));
    if (this.#state !== "online" || tail === undefined || !tail.isLive || this.#pause.isOn) return;
    const nowMs = Date.now();
    if (nowMs - tail.typedAtMs < TYPING_MS) return;
    tail.typedAtMs = nowMs;
    this.#connection?.send({ type: "typing", room });
  }

  /** Says that a room was read up to this `seq`; `unread` in the next answer to {@link join} counts from there. */
  async markRead(room: string, seq: number, { signal }: WaitOptions = {}): Promise<void> {
    await this.#ask<"read">({ type: "read", room, seq }, signal);
  }

  /** Asks the server for a sign of life. @returns the round trip in milliseconds. */
  async ping({ signal }: WaitOptions = {}): Promise<number> {
    const startMs = performance.now();
    await this.#ask<"ping">({ type: "ping" }, signal);
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
    if (this.#retry.isWaiting) this.#dial();
    else if (this.#state === "online") this.ping().catch(() => undefined); // No answer breaks the link by itself.
  }

  /** Ends the client for good; what waits rejects with `closed`. Idempotent. */
  async close(): Promise<void> {
    this.#finish(this.#end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #ask<Type extends keyof Answers>(request: Unasked<Type>, signal?: AbortSignal): Promise<Answers[Type]> {
    const refusal = this.#refusal(request.type);
    if (refusal !== undefined) return Promise.reject(refusal);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const asked = { ...request, id: this.#nextId() } as Asked<Type>;
    if (this.#isTooLong(asked)) {
      const text = `Cannot send ${request.type}: longer than the server's ${this.#frameBytesMax} bytes`;
      return Promise.reject(new ChatError("message-too-long", text));
    }
    const answer = this.#requests.add(asked, signal);
    // During a pause all waits but pings, so that the server gets it in the order of the calls.
    if (this.#pause.isOn && request.type !== "ping") this.#requests.hold(asked.id, 0);
    else if (this.#state === "online") this.#connection?.send(asked);
    return answer;
  }

  /** A server cuts off whoever sends more than it takes, and would again after each return. */
  #isTooLong(request: object): boolean {
    const text = JSON.stringify(request);
    // A character has at most three bytes for each of its units.
    return text.length * 3 > this.#frameBytesMax && new TextEncoder().encode(text).length > this.#frameBytesMax;
  }

  #refusal(type: keyof Answers): ChatError | undefined {
    if (this.#state === "closed") return this.#end;
    if (this.#state !== "online" && type !== "chat") {
      return new ChatError("disconnected", `Cannot send ${type}: not connected`);
    }
    if (this.#requests.count < this.#queueMax) return undefined;
    return new ChatError("queue-full", `Cannot send ${type}: ${this.#queueMax} requests wait for an answer already`);
  }

  #dial(): void {
    this.#retry.stop();
    let afterMs: number | undefined;
    this.#attempts += 1;
    const connection = new ChatConnection(
      {
        hello: (hello) => this.#greeted(hello, connection),
        message: (message) => {
          if (message.type === "bye") {
            afterMs = message.afterMs;
            this.#dismissed(message, connection);
          } else this.#receive(message, connection);
        },
        close: (error) => this.#lost(error, afterMs),
      },
      {
        session: this.#session,
        attempt: this.#attempts,
        timeoutMs: this.#ackTimeoutMs,
        nextId: () => this.#nextId(),
      },
    );
    this.#connection = connection;
    this.#setState({ type: "state", state: "connecting" });
    void connection.open(this.#openLink);
  }

  #greeted(hello: HelloMessage, connection: ChatConnection): void {
    this.#session = hello.session;
    this.#frameBytesMax = hello.limits.frameBytesMax;
    this.#isNamed = hello.username !== undefined;
    this.#retry.connected();
    const plan = planResume({ hello, username: this.#username, rooms: this.#rooms, chats: this.#requests.chats });
    this.#username = hello.username ?? this.#username;
    this.#requests.start();
    for (const request of plan.leave) connection.send({ ...request, id: this.#nextId() });
    for (const request of plan.join) this.#rejoin({ ...request, id: this.#nextId() }, connection);
    for (const request of plan.resend) connection.send(request);
    for (const id of plan.drop) this.#requests.fail(id, new ChatError("not-joined", "Cannot send: the room was left"));
    this.#connecting?.resolve();
    this.#connecting = undefined;
    this.#setState({ type: "state", state: "online" });
  }

  #rejoin(request: Asked<"join">, connection: ChatConnection): void {
    this.#requests.add<"join">(request).catch((error: ChatError) => {
      if (connection !== this.#connection) return; // It broke again, and the room is joined by the next one.
      this.#rooms.delete(roomKey(request.room));
      this.#emit({ type: "dropped", room: request.room, error });
    });
    connection.send(request);
  }

  #receive(message: ServerMessage, connection: ChatConnection): void {
    switch (message.type) {
      case "chat":
      case "set":
        this.#arrived(message);
        return;
      case "presence":
      case "typing":
        if (this.#rooms.get(roomKey(message.room))?.isLive) this.#emit(message);
        return;
      case "joined":
        this.#joined(message, connection);
        return;
      case "ack":
        if (message.seq !== undefined) this.#rooms.get(roomKey(message.room))?.acknowledged(message.seq);
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
        if (this.#holdsBack(message)) return;
        if (!this.#requests.answer(message)) this.#emit({ type: "error", error: asError(message) });
        return;
      case "welcome":
      case "notification":
      case "hello":
      case "ping":
      case "bye":
        return; // For version 1, or the connection's own.
      default:
        message satisfies never;
    }
  }

  /** Whether a request that was refused is sent again later. */
  #holdsBack({ id, code, retryAfterMs = 0 }: ErrorMessage): boolean {
    const request = id === undefined ? undefined : this.#requests.get(id);
    if (request === undefined) return false;
    if (code === "rate-limited") {
      if (!this.#requests.hold(request.id, retryAfterMs)) return false;
      this.#pause.last(retryAfterMs);
      return true;
    }
    // It followed a join of its room that was held back itself.
    const tail =
      code === "not-joined" && request.type === "chat" ? this.#rooms.get(roomKey(request.room ?? "")) : undefined;
    return this.#pause.isOn && tail !== undefined && !tail.isLive && this.#requests.hold(request.id, 0);
  }

  #arrived(message: EntryMessage): void {
    const tail = this.#rooms.get(roomKey(message.room));
    if (tail === undefined || !tail.isLive) return;
    const after = tail.position.seq;
    const arrival = tail.arrive(message);
    if (arrival === "seen") return;
    if (arrival === "gap") this.#emit({ type: "gap", room: tail.room, after, before: message.seq ?? after });
    if (message.type === "chat") {
      this.#emit({ type: "message", message });
    } else if (message.key === "topic") {
      const { room, username, value: topic, seq, at } = message;
      this.#emit({ type: "topic", room, username, topic, seq, at });
    }
  }

  #joined(joined: JoinedMessage, connection: ChatConnection): void {
    const key = roomKey(joined.room);
    const tail = this.#rooms.get(key);
    this.#isNamed = true;
    if (tail !== undefined && !tail.isLive) {
      const missed = tail.resume(joined);
      const { recovered = false, reason } = joined;
      this.#emit({ type: "rejoined", joined, missed, recovered, ...given({ reason }) });
      this.#requests.answer(joined);
    } else if (this.#requests.answer(joined)) {
      this.#rooms.set(key, new RoomTail(joined));
    } else if (tail === undefined) {
      connection.send({ type: "leave", id: this.#nextId(), room: joined.room }); // Nobody waits for it any more.
    }
  }

  #dismissed(bye: ByeMessage, connection: ChatConnection): void {
    this.#emit(bye);
    const error = new ChatError("bye", `The server ended the connection: ${bye.message}`, {
      retryAfterMs: bye.afterMs,
    });
    if (bye.reconnect) connection.fail(error);
    else this.#finish(error);
  }

  #lost(error: ChatError, afterMs = 0): void {
    this.#connection = undefined;
    this.#isNamed = false;
    this.#pause.stop();
    for (const tail of this.#rooms.values()) tail.pause();
    const code = error.code === "timeout" ? "timeout" : "disconnected";
    this.#requests.pause(new ChatError(code, error.message, { cause: error }));
    if (this.#connecting !== undefined) {
      this.#connectFailed(this.#connecting, error);
    } else {
      const retryAtMs = this.#retry.start(afterMs);
      this.#setState({ type: "state", state: "connecting", retryAtMs, error });
    }
  }

  /** The application decides what a first attempt that failed means. */
  #connectFailed(connecting: PromiseWithResolvers<void>, reason: unknown): void {
    this.#connection = undefined;
    this.#connecting = undefined;
    connecting.reject(reason);
    this.#setState({ type: "state", state: "offline", ...(reason instanceof ChatError ? { error: reason } : {}) });
  }

  #finish(error: ChatError): void {
    if (this.#state === "closed") return;
    this.#end = error;
    this.#retry.stop();
    this.#pause.stop();
    this.#connection?.close();
    this.#connection = undefined;
    this.#rooms.clear();
    this.#requests.close(error);
    this.#connecting?.reject(error);
    this.#connecting = undefined;
    this.#setState({ type: "state", state: "closed", ...(error.code === "closed" ? {} : { error }) });
  }

  #setState(event: ChatStateEvent): void {
    this.#state = event.state;
    this.#emit(event);
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

  #nextId(): string {
    this.#lastId += 1;
    return `${this.#idPrefix}-${this.#lastId.toString(36)}`;
  }
}

/** Leaves out what was not given, as the wire knows no `undefined`. */
function given<Fields extends object>(fields: Fields): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as typeof fields;
}

/** `crypto.randomUUID` is missing on pages without TLS. */
function randomPrefix(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

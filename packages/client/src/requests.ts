import type { ErrorMessage, HelloMessage, JoinedMessage, Request } from "@landline/protocol";
import { type Answer, type Answers, type Asked, type AskedChat, answerType } from "./answers.ts";
import type { ChatConnection } from "./chat-connection.ts";
import { asError, ChatError } from "./chat-error.ts";
import { RatePause } from "./rate-pause.ts";

/** Wait after `rate-limited` and `in-doubt` when the server names none, in milliseconds. */
const RETRY_MS = 1_000;
/** Longest time that `rate-limited` may delay a request before it rejects, in milliseconds. */
const HOLD_MS_MAX = 60_000;

/** A request before it gets its id. */
export type Unasked<Type extends keyof Answers> = Omit<Asked<Type>, "id">;

/** See {@link Requests}. */
export interface RequestsOptions {
  /** Prefix of the ids. @default 12 random characters */
  readonly idPrefix: string | undefined;
  /** Maximum number of requests that wait for an answer. */
  readonly queueMax: number;
  /** Limit for the answer to the oldest request, in milliseconds. After it the connection fails. */
  readonly timeoutMs: number;
}

/** A request that waits for its answer. */
interface Pending {
  readonly request: Asked;
  /** The request as JSON. A resend is identical even if the caller has changed its objects. */
  readonly text: string;
  /** When it was first held back, in milliseconds since 1970. */
  heldSinceMs?: number;
  resolve(answer: Answer): void;
  reject(reason: unknown): void;
}

/**
 * Gives requests their ids, sends them when the connection and the rates allow, and returns their answers. One timer
 * suffices for all: the server answers in the order of the requests.
 */
export class Requests {
  readonly #idPrefix: string;
  readonly #queueMax: number;
  readonly #timeoutMs: number;
  /** By id, oldest first. */
  readonly #pending = new Map<string, Pending>();
  /** Those that are sent when the pause ends. */
  readonly #held = new Set<Pending>();
  readonly #pause = new RatePause(() => this.#release());
  #connection: ChatConnection | undefined;
  /** Runs while a request that was sent waits for its answer. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The server's limit for one request, in bytes. */
  #frameBytesMax = Number.POSITIVE_INFINITY;
  #lastId = 0;
  /** Why the client is closed; `undefined` while it is not. */
  #end: ChatError | undefined;

  constructor(options: RequestsOptions) {
    this.#idPrefix = options.idPrefix ?? randomPrefix();
    this.#queueMax = options.queueMax;
    this.#timeoutMs = options.timeoutMs;
  }

  /** The pending chat messages, in the order of the calls. */
  get chats(): readonly AskedChat[] {
    return [...this.#pending.values()].map(({ request }) => request).filter((request) => isChat(request));
  }

  /** Whether a request would be sent at once. */
  get isFlowing(): boolean {
    return this.#connection !== undefined && !this.#pause.isOn;
  }

  nextId(): string {
    this.#lastId += 1;
    return `${this.#idPrefix}-${this.#lastId.toString(36)}`;
  }

  /** Sends a request and returns its answer. Without a connection, a chat message is queued; other requests reject. */
  ask<Type extends keyof Answers>(request: Unasked<Type>, signal?: AbortSignal): Promise<Answers[Type]> {
    const refusal = this.#refusal(request.type);
    if (refusal !== undefined) return Promise.reject(refusal);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const asked = { ...request, id: this.nextId() } as Asked<Type>;
    const text = JSON.stringify(asked);
    if (this.#isTooLong(text)) return Promise.reject(this.#tooLong(request.type));
    const { pending, answer } = this.#add(asked, text, signal);
    // During a pause everything except pings is held back, so that the order of the calls stays.
    if (this.#pause.isOn && request.type !== "ping") this.#hold(pending, 0);
    else this.#connection?.send(text);
    return answer;
  }

  /** Sends `join` for a room that was joined before. `queueMax` does not apply. */
  rejoin(request: Unasked<"join">): Promise<JoinedMessage> {
    const asked = { ...request, id: this.nextId() } as Asked<"join">;
    const text = JSON.stringify(asked);
    const { answer } = this.#add<"join">(asked, text);
    this.#connection?.send(text);
    return answer;
  }

  /** Sends a request without waiting for an answer. */
  tell(request: Request): void {
    this.#connection?.send(JSON.stringify(request));
  }

  /** Sends a request that waits again, on another connection than before. */
  resend(id: string): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    if (this.#isTooLong(pending.text)) pending.reject(this.#tooLong(pending.request.type));
    else this.#connection?.send(pending.text);
  }

  /**
   * Settles the request with the message's id.
   *
   * @returns false when no request with this id is pending.
   * @throws {ChatError} `protocol-error` when a message of this type does not answer the request.
   */
  answer(message: Answer | ErrorMessage): boolean {
    const pending = message.id === undefined ? undefined : this.#pending.get(message.id);
    if (pending === undefined) return false;
    const { request } = pending;
    if (message.type === "error") pending.reject(asError(message));
    else if (message.type === answerType(request)) pending.resolve(message);
    else throw new ChatError("protocol-error", `Cannot answer ${request.type}: the server sent ${message.type}`);
    return true;
  }

  /** Rejects one request. */
  fail(id: string, error: ChatError): void {
    this.#pending.get(id)?.reject(error);
  }

  /**
   * Decides whether a refused request is resent later, and holds it back if so.
   *
   * @param isAway whether the client still has to rejoin the room on this connection.
   */
  holdsBack({ id, code, retryAfterMs }: ErrorMessage, isAway: (room: string) => boolean): boolean {
    const pending = id === undefined ? undefined : this.#pending.get(id);
    if (pending === undefined) return false;
    const { request } = pending;
    if (code === "rate-limited" || code === "in-doubt") {
      const waitMs = retryAfterMs || RETRY_MS;
      if (!this.#hold(pending, waitMs)) return false;
      this.#pause.extend(waitMs);
      return true;
    }
    // The rejoin of the chat's room is itself held back; the chat is resent after it.
    if (!this.#pause.isOn || code !== "not-joined" || request.type !== "chat") return false;
    return isAway(request.room ?? "") && this.#hold(pending, 0);
  }

  /** The server answered `hello` on this connection. */
  start(connection: ChatConnection, { limits }: HelloMessage): void {
    this.#connection = connection;
    this.#frameBytesMax = limits.frameBytesMax;
    this.#restartTimer();
  }

  /** The connection broke: chat messages stay and are resent later, all other requests reject. */
  pause(error: ChatError): void {
    this.#connection = undefined;
    this.#pause.stop();
    this.#held.clear();
    this.#restartTimer();
    for (const pending of [...this.#pending.values()]) if (!isChat(pending.request)) pending.reject(error);
  }

  /** Rejects all requests, now and later. */
  close(error: ChatError): void {
    this.#end = error;
    this.#connection = undefined;
    this.#pause.stop();
    for (const pending of [...this.#pending.values()]) pending.reject(error);
  }

  /** Waits for the answer to a request. After an abort the request may still have been carried out. */
  #add<Type extends keyof Answers>(
    request: Asked<Type>,
    text: string,
    signal?: AbortSignal,
  ): { readonly pending: Pending; readonly answer: Promise<Answers[Type]> } {
    const { promise, resolve, reject } = Promise.withResolvers<Answers[Type]>();
    const forget = () => {
      signal?.removeEventListener("abort", abort);
      this.#pending.delete(request.id);
      this.#held.delete(pending);
      this.#restartTimer();
    };
    const pending: Pending = {
      request: request as Asked,
      text,
      resolve: (answer) => {
        forget();
        resolve(answer as Answers[Type]);
      },
      reject: (reason) => {
        forget();
        reject(reason);
      },
    };
    const abort = () => pending.reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    this.#pending.set(request.id, pending);
    if (this.#timer === undefined) this.#restartTimer();
    return { pending, answer: promise };
  }

  /** Holds a request back until the pause ends. @returns false when `ms` more would exceed the limit for delays. */
  #hold(pending: Pending, ms: number): boolean {
    const now = Date.now();
    pending.heldSinceMs ??= now;
    if (now + ms - pending.heldSinceMs > HOLD_MS_MAX) return false;
    this.#held.add(pending);
    this.#restartTimer();
    return true;
  }

  /** Sends what was held back. Rejoins come first: other requests may need their rooms. */
  #release(): void {
    const held = [...this.#pending.values()].filter((pending) => this.#held.has(pending));
    this.#held.clear();
    this.#restartTimer();
    const isRejoin = ({ request }: Pending) => request.type === "join" && request.after !== undefined;
    for (const { text } of held.filter(isRejoin)) this.#connection?.send(text);
    for (const { text } of held.filter((pending) => !isRejoin(pending))) this.#connection?.send(text);
  }

  #restartTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#connection === undefined || this.#pending.size === this.#held.size) return;
    this.#timer = setTimeout(() => {
      const silent = `Connection lost: no answer within ${this.#timeoutMs} ms`;
      this.#connection?.fail(new ChatError("timeout", silent));
    }, this.#timeoutMs);
  }

  #refusal(type: keyof Answers): ChatError | undefined {
    if (this.#end !== undefined) return this.#end;
    if (this.#connection === undefined && type !== "chat") {
      return new ChatError("disconnected", `Cannot send ${type}: not connected`);
    }
    if (this.#pending.size < this.#queueMax) return undefined;
    return new ChatError("queue-full", `Cannot send ${type}: ${this.#queueMax} requests already wait for an answer`);
  }

  /** The server ends a connection that sends a longer frame. A resend would end the next one too. */
  #isTooLong(text: string): boolean {
    // UTF-8 needs at most 3 bytes per UTF-16 code unit.
    return text.length * 3 > this.#frameBytesMax && new TextEncoder().encode(text).length > this.#frameBytesMax;
  }

  #tooLong(type: string): ChatError {
    const text = `Cannot send ${type}: longer than the server's ${this.#frameBytesMax} bytes`;
    return new ChatError("message-too-long", text);
  }
}

function isChat(request: Asked): request is AskedChat {
  return request.type === "chat" && request.room !== undefined;
}

/** `crypto.randomUUID` exists in secure contexts only. */
function randomPrefix(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

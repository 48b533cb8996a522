import type { ErrorMessage, HelloMessage, JoinedMessage, Request } from "@landline/protocol";
import type { ChatConnection } from "./chat-connection.ts";
import { ChatError } from "./chat-error.ts";
import { type Answer, type Answers, type Asked, type AskedChat, PendingRequests } from "./pending-requests.ts";
import { RatePause } from "./rate-pause.ts";

/** Wait after `rate-limited` when the server names none, in milliseconds. */
const RETRY_MS = 1_000;

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

/**
 * Gives requests their ids, sends them when the connection and the rates allow, and returns their answers. Each request
 * is serialized once, so that a resend is identical even if the caller has changed its objects.
 */
export class Requests {
  readonly #idPrefix: string;
  readonly #queueMax: number;
  readonly #pending: PendingRequests;
  readonly #pause: RatePause;
  #connection: ChatConnection | undefined;
  /** The server's limit for one request, in bytes. */
  #frameBytesMax = Number.POSITIVE_INFINITY;
  #lastId = 0;
  /** Why the client is closed; `undefined` while it is not. */
  #end: ChatError | undefined;

  constructor(options: RequestsOptions) {
    this.#idPrefix = options.idPrefix ?? randomPrefix();
    this.#queueMax = options.queueMax;
    const { timeoutMs } = options;
    const silent = `Connection lost: no answer within ${timeoutMs} ms`;
    this.#pending = new PendingRequests({
      timeoutMs,
      timeout: () => this.#connection?.fail(new ChatError("timeout", silent)),
    });
    this.#pause = new RatePause(() => {
      for (const text of this.#pending.release()) this.#connection?.send(text);
    });
  }

  /** The pending chat messages, in the order of the calls. */
  get chats(): readonly AskedChat[] {
    return this.#pending.chats;
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
    const answer = this.#pending.add(asked, text, signal);
    // During a pause everything except pings is held back, so that the order of the calls stays.
    if (this.#pause.isOn && request.type !== "ping") this.#pending.hold(asked.id, 0);
    else this.#connection?.send(text);
    return answer;
  }

  /** Sends `join` for a room that was joined before. `queueMax` does not apply. */
  rejoin(request: Unasked<"join">): Promise<JoinedMessage> {
    const asked = { ...request, id: this.nextId() } as Asked<"join">;
    const text = JSON.stringify(asked);
    const answer = this.#pending.add<"join">(asked, text);
    this.#connection?.send(text);
    return answer;
  }

  /** Sends a request without waiting for an answer. */
  tell(request: Request): void {
    this.#connection?.send(JSON.stringify(request));
  }

  /** Sends a request that waits again, on another connection than before. */
  resend(id: string): void {
    const text = this.#pending.textOf(id);
    if (text === undefined) return;
    if (this.#isTooLong(text)) this.fail(id, this.#tooLong("chat"));
    else this.#connection?.send(text);
  }

  /** See {@link PendingRequests.answer}. */
  answer(message: Answer | ErrorMessage): boolean {
    return this.#pending.answer(message);
  }

  /** Rejects one request. */
  fail(id: string, error: ChatError): void {
    this.#pending.fail(id, error);
  }

  /**
   * Decides whether a refused request is resent later, and holds it back if so.
   *
   * @param isAway whether the client still has to rejoin the room on this connection.
   */
  holdsBack({ id, code, retryAfterMs }: ErrorMessage, isAway: (room: string) => boolean): boolean {
    const request = id === undefined ? undefined : this.#pending.get(id);
    if (request === undefined) return false;
    if (code === "rate-limited") {
      const waitMs = retryAfterMs || RETRY_MS;
      if (!this.#pending.hold(request.id, waitMs)) return false;
      this.#pause.extend(waitMs);
      return true;
    }
    // The rejoin of the chat's room is itself held back; the chat is resent after it.
    if (!this.#pause.isOn || code !== "not-joined" || request.type !== "chat") return false;
    return isAway(request.room ?? "") && this.#pending.hold(request.id, 0);
  }

  /** The server answered `hello` on this connection. */
  start(connection: ChatConnection, { limits }: HelloMessage): void {
    this.#connection = connection;
    this.#frameBytesMax = limits.frameBytesMax;
    this.#pending.start();
  }

  /** The connection broke: chat messages stay and are resent later, all other requests reject. */
  pause(error: ChatError): void {
    this.#connection = undefined;
    this.#pause.stop();
    this.#pending.pause(error);
  }

  /** Rejects all requests, now and later. */
  close(error: ChatError): void {
    this.#end = error;
    this.#connection = undefined;
    this.#pause.stop();
    this.#pending.close(error);
  }

  #refusal(type: keyof Answers): ChatError | undefined {
    if (this.#end !== undefined) return this.#end;
    if (this.#connection === undefined && type !== "chat") {
      return new ChatError("disconnected", `Cannot send ${type}: not connected`);
    }
    if (this.#pending.count < this.#queueMax) return undefined;
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

/** `crypto.randomUUID` exists in secure contexts only. */
function randomPrefix(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

import type { ErrorMessage, HelloMessage, JoinedMessage, Request } from "@landline/protocol";
import type { ChatConnection } from "./chat-connection.ts";
import { ChatError } from "./chat-error.ts";
import { type Answer, type Answers, type Asked, type AskedChat, PendingRequests } from "./pending-requests.ts";
import { RatePause } from "./rate-pause.ts";

/** Wait after `rate-limited` when the server names none, in milliseconds. */
const RETRY_MS = 1_000;

/** A request without the id that it will get. */
export type Unasked<Type extends keyof Answers> = Omit<Asked<Type>, "id">;

/** See {@link Requests}. */
export interface RequestsOptions {
  /** What the ids begin with. @default 12 random characters */
  readonly idPrefix: string | undefined;
  /** Requests that may wait for an answer at a time. */
  readonly queueMax: number;
  /** How long the oldest request waits for its answer on a connection, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * A client's requests: gives them ids, sends them as soon as the server takes them, and waits for the answers. A request
 * becomes text once: what is looked at is what is sent, each time it is sent.
 */
export class Requests {
  readonly #idPrefix: string;
  readonly #queueMax: number;
  readonly #pending: PendingRequests;
  readonly #pause: RatePause;
  #connection: ChatConnection | undefined;
  /** Longest request that the server takes, in bytes. */
  #frameBytesMax = Number.POSITIVE_INFINITY;
  #lastId = 0;
  /** Why nothing can be asked any more. */
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

  /** The chats that wait, in the order of the calls. */
  get chats(): readonly AskedChat[] {
    return this.#pending.chats;
  }

  /** Whether what is asked now is sent at once. */
  get isFlowing(): boolean {
    return this.#connection !== undefined && !this.#pause.isOn;
  }

  nextId(): string {
    this.#lastId += 1;
    return `${this.#idPrefix}-${this.#lastId.toString(36)}`;
  }

  /** Asks, and waits for the answer; without a connection a chat waits for the next one, anything else is refused. */
  ask<Type extends keyof Answers>(request: Unasked<Type>, signal?: AbortSignal): Promise<Answers[Type]> {
    const refusal = this.#refusal(request.type);
    if (refusal !== undefined) return Promise.reject(refusal);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const asked = { ...request, id: this.nextId() } as Asked<Type>;
    const text = JSON.stringify(asked);
    if (this.#isTooLong(text)) return Promise.reject(this.#tooLong(request.type));
    const answer = this.#pending.add(asked, text, signal);
    // During a pause all waits but pings, so that the server gets it in the order of the calls.
    if (this.#pause.isOn && request.type !== "ping") this.#pending.hold(asked.id, 0);
    else this.#connection?.send(text);
    return answer;
  }

  /** Asks to be let into a room again, however many requests wait. */
  rejoin(request: Unasked<"join">): Promise<JoinedMessage> {
    const asked = { ...request, id: this.nextId() } as Asked<"join">;
    const text = JSON.stringify(asked);
    const answer = this.#pending.add<"join">(asked, text);
    this.#connection?.send(text);
    return answer;
  }

  /** Sends what is not answered, or whose answer nobody waits for. */
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

  /** Settles the request that this message answers; false if none waits for it. */
  answer(message: Answer | ErrorMessage): boolean {
    return this.#pending.answer(message);
  }

  /** Fails one request. */
  fail(id: string, error: ChatError): void {
    this.#pending.fail(id, error);
  }

  /**
   * Whether a request that was refused is sent again later.
   *
   * @param isAway whether the user is in a room that this connection has not entered yet.
   */
  holdsBack({ id, code, retryAfterMs }: ErrorMessage, isAway: (room: string) => boolean): boolean {
    const request = id === undefined ? undefined : this.#pending.get(id);
    if (request === undefined) return false;
    if (code === "rate-limited") {
      const waitMs = retryAfterMs || RETRY_MS;
      if (!this.#pending.hold(request.id, waitMs)) return false;
      this.#pause.last(waitMs);
      return true;
    }
    // It followed a join of its room that was held back itself.
    if (!this.#pause.isOn || code !== "not-joined" || request.type !== "chat") return false;
    return isAway(request.room ?? "") && this.#pending.hold(request.id, 0);
  }

  /** The server answered `hello` on this connection. */
  start(connection: ChatConnection, { limits }: HelloMessage): void {
    this.#connection = connection;
    this.#frameBytesMax = limits.frameBytesMax;
    this.#pending.start();
  }

  /** The connection broke: chats stay, to be sent again, the rest fails. */
  pause(error: ChatError): void {
    this.#connection = undefined;
    this.#pause.stop();
    this.#pending.pause(error);
  }

  /** Fails all of them, and whatever is asked from now on. */
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
    return new ChatError("queue-full", `Cannot send ${type}: ${this.#queueMax} requests wait for an answer already`);
  }

  /** A server cuts off whoever sends more than it takes, and would again after each return. */
  #isTooLong(text: string): boolean {
    // A character has at most three bytes for each of its units.
    return text.length * 3 > this.#frameBytesMax && new TextEncoder().encode(text).length > this.#frameBytesMax;
  }

  #tooLong(type: string): ChatError {
    const text = `Cannot send ${type}: longer than the server's ${this.#frameBytesMax} bytes`;
    return new ChatError("message-too-long", text);
  }
}

/** `crypto.randomUUID` is missing on pages without TLS. */
function randomPrefix(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

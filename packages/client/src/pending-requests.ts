import type {
  AckMessage,
  ErrorMessage,
  HistoryMessage,
  JoinedMessage,
  PongMessage,
  RequestOf,
  RoomsMessage,
  SearchMessage,
  TopicMessage,
  WhoMessage,
} from "@landline/protocol";
import { asError, ChatError } from "./chat-error.ts";

/** The message that answers each request. */
export interface Answers {
  readonly join: JoinedMessage;
  readonly chat: AckMessage;
  readonly leave: AckMessage;
  readonly who: WhoMessage;
  readonly rooms: RoomsMessage;
  readonly history: HistoryMessage;
  readonly search: SearchMessage;
  /** `AckMessage` when the topic was set, `TopicMessage` when it was read. */
  readonly topic: AckMessage | TopicMessage;
  readonly read: AckMessage;
  readonly ping: PongMessage;
}

/** Any of them. */
export type Answer = Answers[keyof Answers];

/** A request with the id that its answer repeats. */
export type Asked<Type extends keyof Answers = keyof Answers> = Type extends keyof Answers
  ? RequestOf<Type> & { readonly id: string }
  : never;

/** A chat message that waits for its acknowledgement. */
export type AskedChat = Asked<"chat"> & { readonly room: string };

const ANSWER_TYPES: { readonly [Type in keyof Answers]: Answers[Type]["type"] } = {
  join: "joined",
  chat: "ack",
  leave: "ack",
  who: "who",
  rooms: "rooms",
  history: "history",
  search: "search",
  topic: "topic",
  read: "ack",
  ping: "pong",
};

/** Longest time that `rate-limited` may delay a request before it rejects, in milliseconds. */
const HOLD_MS_MAX = 60_000;

interface Pending {
  readonly request: Asked;
  /** The request as JSON; each send uses the same text. */
  readonly text: string;
  /** When it was first held back, in milliseconds since 1970. */
  heldSinceMs?: number;
  resolve(answer: Answer): void;
  reject(reason: unknown): void;
}

/** See {@link PendingRequests}. */
export interface PendingRequestsOptions {
  /** Limit for the answer to the oldest request, in milliseconds. */
  readonly timeoutMs: number;
  /** Called when the limit is reached. */
  timeout(): void;
}

/**
 * The requests that wait for an answer, oldest first. One timer suffices: the server answers in the order of the
 * requests.
 */
export class PendingRequests {
  readonly #options: PendingRequestsOptions;
  readonly #pending = new Map<string, Pending>();
  /** Ids of requests that are held back until {@link release}. */
  readonly #held = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOnline = false;

  constructor(options: PendingRequestsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#pending.size;
  }

  /** The pending chat messages, in the order of the calls. */
  get chats(): readonly AskedChat[] {
    return [...this.#pending.values()].map(({ request }) => request).filter((request) => isChat(request));
  }

  /** Waits for the answer to a request. After an abort the request may still have been carried out. */
  add<Type extends keyof Answers>(request: Asked<Type>, text: string, signal?: AbortSignal): Promise<Answers[Type]> {
    const { promise, resolve, reject } = Promise.withResolvers<Answers[Type]>();
    const forget = () => {
      signal?.removeEventListener("abort", abort);
      this.#pending.delete(request.id);
      this.#held.delete(request.id);
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
    return promise;
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
    if (message.type === "error") pending.reject(asError(message));
    else if (message.type === answerType(pending.request)) pending.resolve(message);
    else
      throw new ChatError("protocol-error", `Cannot answer ${pending.request.type}: the server sent ${message.type}`);
    return true;
  }

  /** The pending request with this id. */
  get(id: string): Asked | undefined {
    return this.#pending.get(id)?.request;
  }

  /** Holds a request back until {@link release}. @returns false when `ms` more would exceed the limit for delays. */
  hold(id: string, ms: number): boolean {
    const pending = this.#pending.get(id);
    if (pending === undefined) return false;
    const now = Date.now();
    pending.heldSinceMs ??= now;
    if (now + ms - pending.heldSinceMs > HOLD_MS_MAX) return false;
    this.#held.add(id);
    this.#restartTimer();
    return true;
  }

  /** The JSON text of the pending request with this id. */
  textOf(id: string): string | undefined {
    return this.#pending.get(id)?.text;
  }

  /** Returns the held texts, to be sent now. Rejoins come first: other requests may need their rooms. */
  release(): readonly string[] {
    const held = [...this.#pending.values()].filter(({ request }) => this.#held.has(request.id));
    this.#held.clear();
    this.#restartTimer();
    const ordered = [
      ...held.filter(({ request }) => isRejoin(request)),
      ...held.filter(({ request }) => !isRejoin(request)),
    ];
    return ordered.map(({ text }) => text);
  }

  /** Rejects one request. */
  fail(id: string, error: ChatError): void {
    this.#pending.get(id)?.reject(error);
  }

  /** The link is up: starts the timer. */
  start(): void {
    this.#isOnline = true;
    this.#restartTimer();
  }

  /** The link broke: chat messages stay and are resent later, all other requests reject. */
  pause(error: ChatError): void {
    this.#isOnline = false;
    this.#held.clear();
    this.#restartTimer();
    for (const pending of [...this.#pending.values()]) if (!isChat(pending.request)) pending.reject(error);
  }

  /** Rejects all requests. */
  close(error: ChatError): void {
    this.#isOnline = false;
    for (const pending of [...this.#pending.values()]) pending.reject(error);
  }

  #restartTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isOnline && this.#pending.size > this.#held.size) {
      this.#timer = setTimeout(() => this.#options.timeout(), this.#options.timeoutMs);
    }
  }
}

function answerType(request: Asked): Answer["type"] {
  if (request.type === "topic" && request.topic !== undefined) return "ack";
  return ANSWER_TYPES[request.type];
}

function isChat(request: Asked): request is AskedChat {
  return request.type === "chat" && request.room !== undefined;
}

function isRejoin(request: Asked): boolean {
  return request.type === "join" && request.after !== undefined;
}

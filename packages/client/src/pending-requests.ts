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

/** Which message answers a request. */
export interface Answers {
  readonly join: JoinedMessage;
  readonly chat: AckMessage;
  readonly leave: AckMessage;
  readonly who: WhoMessage;
  readonly rooms: RoomsMessage;
  readonly history: HistoryMessage;
  readonly search: SearchMessage;
  /** The second one where the topic was only asked for. */
  readonly topic: AckMessage | TopicMessage;
  readonly read: AckMessage;
  readonly ping: PongMessage;
}

/** Any of them. */
export type Answer = Answers[keyof Answers];

/** A request that can be asked, with the id that its answer brings back. */
export type Asked<Type extends keyof Answers = keyof Answers> = Type extends keyof Answers
  ? RequestOf<Type> & { readonly id: string }
  : never;

/** A chat that waits for its acknowledgement. */
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

/** A request is refused for good when it was held back this long, in milliseconds. */
const HOLD_MS_MAX = 60_000;

interface Pending {
  readonly request: Asked;
  /** The request as it is sent, each time. */
  readonly text: string;
  /** When it was held back first, in milliseconds since 1970. */
  heldSinceMs?: number;
  resolve(answer: Answer): void;
  reject(reason: unknown): void;
}

/** See {@link PendingRequests}. */
export interface PendingRequestsOptions {
  /** How long the oldest request waits for its answer on a link, in milliseconds. */
  readonly timeoutMs: number;
  /** Called when it waited that long. */
  timeout(): void;
}

/**
 * The requests that wait for an answer, oldest first.
 *
 * A server answers in the order of the requests, so one timer for the oldest guards them all.
 */
export class PendingRequests {
  readonly #options: PendingRequestsOptions;
  readonly #pending = new Map<string, Pending>();
  /** The ids of those that are to be sent later. */
  readonly #held = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOnline = false;

  constructor(options: PendingRequestsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#pending.size;
  }

  /** The chats among them, in the order of the calls. */
  get chats(): readonly AskedChat[] {
    return [...this.#pending.values()].map(({ request }) => request).filter((request) => isChat(request));
  }

  /** Waits for the answer to a request. An abort gives up waiting; whether the request was heard stays open. */
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

  /** The request with this id, if one waits. */
  get(id: string): Asked | undefined {
    return this.#pending.get(id)?.request;
  }

  /** A request is to be sent `ms` from now, maybe again; false if it would be held back for too long by then. */
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

  /** The text of the request with this id, if one waits. */
  textOf(id: string): string | undefined {
    return this.#pending.get(id)?.text;
  }

  /** The texts that were held, to be sent now: first the rooms to be entered again, as the rest may be for them. */
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

  /** Fails one request. */
  fail(id: string, error: ChatError): void {
    this.#pending.get(id)?.reject(error);
  }

  /** The link is up: what waits can be answered. */
  start(): void {
    this.#isOnline = true;
    this.#restartTimer();
  }

  /** The link broke: chats stay, to be sent again, the rest fails. */
  pause(error: ChatError): void {
    this.#isOnline = false;
    this.#held.clear();
    this.#restartTimer();
    for (const pending of [...this.#pending.values()]) if (!isChat(pending.request)) pending.reject(error);
  }

  /** Fails all of them. */
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

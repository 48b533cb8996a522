import type { HelloMessage, ServerMessage } from "@landline/protocol";
import { ChatConnection } from "./chat-connection.ts";
import { ChatError } from "./chat-error.ts";
import type { ChatClientState, ChatStateEvent } from "./events.ts";
import type { OpenLink } from "./link.ts";
import type { Backoff } from "./resume.ts";
import { RetryTimer } from "./retry-timer.ts";

/** Callbacks of a {@link ChatSession}. */
export interface ChatSessionHandlers {
  /** A connection is ready. What this handler sends goes out before any other request. */
  hello(message: HelloMessage, connection: ChatConnection): void;
  message(message: ServerMessage): void;
  /** The connection broke, or could not be opened. */
  lost(error: ChatError): void;
  /** The session ended for good. Called once. */
  ended(error: ChatError): void;
  state(event: ChatStateEvent): void;
}

/** See {@link ChatSession}. */
export interface ChatSessionOptions extends Backoff {
  /** Limit for opening a connection and the answer to its `hello`, in milliseconds. */
  readonly timeoutMs: number;
  /** From 0 to 1. */
  random(): number;
  nextId(): string;
}

/** The series of a client's connections to one server: connects, reconnects, and keeps the session's secret. */
export class ChatSession {
  readonly #openLink: OpenLink;
  readonly #handlers: ChatSessionHandlers;
  readonly #options: ChatSessionOptions;
  readonly #retry: RetryTimer;
  #state: ChatClientState = "offline";
  #connection: ChatConnection | undefined;
  /** The pending call of `connect`. */
  #connecting: PromiseWithResolvers<void> | undefined;
  /** The server's secret that resumes the name and rooms. */
  #secret: string | undefined;
  /** Number of connections so far. */
  #attempts = 0;
  /** Why the session is closed; `undefined` while it is not. */
  #end: ChatError | undefined;

  constructor(openLink: OpenLink, handlers: ChatSessionHandlers, options: ChatSessionOptions) {
    this.#openLink = openLink;
    this.#handlers = handlers;
    this.#options = options;
    const { minMs, maxMs } = options;
    this.#retry = new RetryTimer({ minMs, maxMs, random: () => options.random(), retry: () => this.#dial() });
  }

  get state(): ChatClientState {
    return this.#state;
  }

  /** The open connection, or the one being opened. */
  get connection(): ChatConnection | undefined {
    return this.#connection;
  }

  /** See {@link ChatClient.connect}. */
  async connect(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#end !== undefined) throw this.#end;
    if (this.#state !== "offline") throw new TypeError(`Cannot connect: the client is already ${this.#state}`);
    const connecting = Promise.withResolvers<void>();
    this.#connecting = connecting;
    const abort = () => {
      if (this.#connecting !== connecting) return; // Already settled.
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

  /** Reconnects now instead of waiting for the back-off. @returns false when no retry is scheduled. */
  retryNow(): boolean {
    if (!this.#retry.isWaiting) return false;
    this.#dial();
    return true;
  }

  /** Closes the session for good. Idempotent. */
  close(error: ChatError): void {
    if (this.#state === "closed") return;
    this.#end = error;
    this.#retry.stop();
    this.#connection?.close();
    this.#connection = undefined;
    this.#handlers.ended(error);
    this.#connecting?.reject(error);
    this.#connecting = undefined;
    this.#setState({ type: "state", state: "closed", ...(error.code === "closed" ? {} : { error }) });
  }

  #dial(): void {
    this.#retry.stop();
    let afterMs: number | undefined;
    this.#attempts += 1;
    const { timeoutMs, nextId } = this.#options;
    const connection = new ChatConnection(
      {
        hello: (hello) => this.#greeted(hello, connection),
        message: (message) => {
          if (message.type === "bye") afterMs = message.afterMs;
          this.#receive(message, connection);
        },
        close: (error) => this.#lost(error, afterMs),
      },
      { session: this.#secret, attempt: this.#attempts, timeoutMs, nextId },
    );
    this.#connection = connection;
    this.#setState({ type: "state", state: "connecting" });
    void connection.open(this.#openLink);
  }

  #greeted(hello: HelloMessage, connection: ChatConnection): void {
    this.#secret = hello.session;
    this.#retry.connected();
    this.#handlers.hello(hello, connection);
    this.#connecting?.resolve();
    this.#connecting = undefined;
    this.#setState({ type: "state", state: "online" });
  }

  #receive(message: ServerMessage, connection: ChatConnection): void {
    this.#handlers.message(message);
    if (message.type !== "bye") return;
    const text = `The server ended the connection: ${message.message}`;
    const error = new ChatError("bye", text, { retryAfterMs: message.afterMs });
    if (message.reconnect) connection.fail(error);
    else this.close(error);
  }

  #lost(error: ChatError, afterMs = 0): void {
    this.#connection = undefined;
    this.#handlers.lost(error);
    if (this.#connecting !== undefined) {
      this.#connectFailed(this.#connecting, error);
    } else {
      const retryAtMs = this.#retry.start(afterMs);
      this.#setState({ type: "state", state: "connecting", retryAtMs, error });
    }
  }

  /** The first attempt is not retried: the application decides. */
  #connectFailed(connecting: PromiseWithResolvers<void>, reason: unknown): void {
    this.#connection = undefined;
    this.#connecting = undefined;
    connecting.reject(reason);
    this.#setState({ type: "state", state: "offline", ...(reason instanceof ChatError ? { error: reason } : {}) });
  }

  #setState(event: ChatStateEvent): void {
    this.#state = event.state;
    this.#handlers.state(event);
  }
}

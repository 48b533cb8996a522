import type { HelloMessage, ServerMessage } from "@landline/protocol";
import { ChatConnection } from "./chat-connection.ts";
import { ChatError } from "./chat-error.ts";
import type { ChatClientState, ChatStateEvent } from "./events.ts";
import type { OpenLink } from "./link.ts";
import type { Backoff } from "./resume.ts";
import { RetryTimer } from "./retry-timer.ts";

/** What a session tells its owner. */
export interface ChatSessionHandlers {
  /** A connection is there; what is to come first on it is sent now. */
  hello(message: HelloMessage, connection: ChatConnection): void;
  message(message: ServerMessage): void;
  /** The connection is gone, or was not to be had. */
  lost(error: ChatError): void;
  /** It is over for good. Called once. */
  ended(error: ChatError): void;
  state(event: ChatStateEvent): void;
}

/** See {@link ChatSession}. */
export interface ChatSessionOptions extends Backoff {
  /** For a connection and the answer to its `hello`, in milliseconds. */
  readonly timeoutMs: number;
  /** From 0 to 1. */
  random(): number;
  nextId(): string;
}

/** A client's time with a server, over all its connections: connects, and again when a connection breaks. */
export class ChatSession {
  readonly #openLink: OpenLink;
  readonly #handlers: ChatSessionHandlers;
  readonly #options: ChatSessionOptions;
  readonly #retry: RetryTimer;
  #state: ChatClientState = "offline";
  #connection: ChatConnection | undefined;
  /** The call of `connect` that waits. */
  #connecting: PromiseWithResolvers<void> | undefined;
  /** With which the server gives name and rooms back. */
  #secret: string | undefined;
  /** Connections so far. */
  #attempts = 0;
  /** Why it is closed. */
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

  /** The one that is there or under way. */
  get connection(): ChatConnection | undefined {
    return this.#connection;
  }

  /** See {@link ChatClient.connect}. */
  async connect(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#end !== undefined) throw this.#end;
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

  /** Ends the wait before the next attempt; false if none is waited for. */
  retryNow(): boolean {
    if (!this.#retry.isWaiting) return false;
    this.#dial();
    return true;
  }

  /** Ends it for good. Idempotent. */
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

  /** The application decides what a first attempt that failed means. */
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

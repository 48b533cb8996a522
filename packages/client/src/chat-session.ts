import type { HelloMessage, ServerMessage } from "@landline/protocol";
import { ChatConnection, type ChatConnectionOptions } from "./chat-connection.ts";
import { ChatError } from "./chat-error.ts";
import type { ChatClientState, ChatStateEvent } from "./events.ts";
import type { OpenLink } from "./link.ts";
import type { Backoff } from "./resume.ts";
import { RetryTimer } from "./retry-timer.ts";
import type { SessionStore, StoredSession } from "./session-store.ts";

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
  readonly store: SessionStore | undefined;
  /** Token of another session of the same user. */
  readonly share: string | undefined;
  /** From 0 to 1. */
  random(): number;
  nextId(): string;
}

/** The series of a client's connections to one server: connects, reconnects, and keeps the session's token. */
export class ChatSession {
  readonly #openLink: OpenLink;
  readonly #handlers: ChatSessionHandlers;
  readonly #options: ChatSessionOptions;
  readonly #retry: RetryTimer;
  #state: ChatClientState = "offline";
  #connection: ChatConnection | undefined;
  /** The pending call of `connect`. */
  #connecting: PromiseWithResolvers<HelloMessage> | undefined;
  /** Resumes the session, with its name and rooms. */
  #token: string | undefined;
  /** Number of connection attempts so far, those of earlier clients with the same store included. */
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
  async connect(signal: AbortSignal | undefined): Promise<HelloMessage> {
    signal?.throwIfAborted();
    if (this.#end !== undefined) throw this.#end;
    if (this.#state !== "offline") throw new TypeError(`Cannot connect: the client is already ${this.#state}`);
    const stored = this.#token === undefined ? this.#options.store?.load() : undefined;
    if (stored !== undefined) {
      this.#token = stored.token;
      this.#attempts = Math.max(this.#attempts, stored.attempt);
    }
    const connecting = Promise.withResolvers<HelloMessage>();
    this.#connecting = connecting;
    const abort = () => {
      if (this.#connecting !== connecting) return; // Already settled.
      this.#connection?.close();
      this.#connectFailed(connecting, signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    this.#dial();
    try {
      return await connecting.promise;
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

  /** Ends the session on the server, as far as there is a connection, and closes. Idempotent. */
  async end(error: ChatError): Promise<void> {
    if (this.#state === "closed") return;
    const connection = this.#connection;
    this.#connection = undefined;
    this.#forget();
    this.close(error);
    await connection?.end();
  }

  /** Closes for good. The session stays on the server until it expires. Idempotent. */
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
    // Before the attempt: a later client never sends a number that the server has seen.
    if (this.#token !== undefined) this.#save({ token: this.#token, attempt: this.#attempts });
    const { timeoutMs, nextId } = this.#options;
    const connection = new ChatConnection(
      {
        hello: (hello) => this.#greeted(hello, connection),
        message: (message) => {
          if (message.type === "bye") afterMs = message.afterMs;
          this.#receive(message, connection);
        },
        sessionUnknown: () => this.#forget(),
        close: (error) => this.#lost(error, afterMs),
      },
      { session: this.#resumable(), timeoutMs, nextId },
    );
    this.#connection = connection;
    this.#setState({ type: "state", state: "connecting" });
    void connection.open(this.#openLink);
  }

  #greeted(hello: HelloMessage, connection: ChatConnection): void {
    if (hello.session !== this.#token) this.#save({ token: hello.session, attempt: this.#attempts });
    this.#token = hello.session;
    this.#retry.connected();
    this.#handlers.hello(hello, connection);
    this.#connecting?.resolve(hello);
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
  #connectFailed(connecting: PromiseWithResolvers<HelloMessage>, reason: unknown): void {
    this.#connection = undefined;
    this.#connecting = undefined;
    connecting.reject(reason);
    this.#setState({ type: "state", state: "offline", ...(reason instanceof ChatError ? { error: reason } : {}) });
  }

  #resumable(): ChatConnectionOptions["session"] {
    if (this.#token !== undefined) return { session: this.#token, attempt: this.#attempts };
    const { share } = this.#options;
    return share === undefined ? {} : { session: share, share: true };
  }

  #forget(): void {
    this.#token = undefined;
    this.#save(undefined);
  }

  #save(session: StoredSession | undefined): void {
    try {
      this.#options.store?.save(session);
    } catch (error) {
      // A bug in the store must not break the connection.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #setState(event: ChatStateEvent): void {
    this.#state = event.state;
    this.#handlers.state(event);
  }
}

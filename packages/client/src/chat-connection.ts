import {
  type HelloMessage,
  parseServerMessage,
  type Request,
  type RequestOf,
  type ServerMessage,
} from "@landline/protocol";
import { asError, ChatError } from "./chat-error.ts";
import type { Link, OpenLink } from "./link.ts";
import { TIMER_MS_MAX } from "./retry-timer.ts";

/** Longest wait for the server to end the link after `bye`, in milliseconds. */
const BYE_MS_MAX = 1_000;

/** Callbacks of a {@link ChatConnection}. */
export interface ChatConnectionHandlers {
  /** The server answered `hello`. Requests may be sent from now on. */
  hello(message: HelloMessage): void;
  /** Called for every message after `hello`, except pings. Also for a `bye` before `hello`. */
  message(message: ServerMessage): void;
  /** The server does not know the session to resume or share. The connection goes on without it. */
  sessionUnknown(): void;
  /** The connection failed, before or after `hello`. Called once, and never after `close()`. */
  close(error: ChatError): void;
}

/** See {@link ChatConnection}. */
export interface ChatConnectionOptions {
  /** The session to resume or share, if any. */
  readonly session: Pick<RequestOf<"hello">, "session" | "attempt" | "share">;
  /** Limit for opening the link and the answer to `hello` together; also the tolerance for late pings. In milliseconds. */
  readonly timeoutMs: number;
  nextId(): string;
}

/**
 * One connection of a chat client. Opens the link, sends `hello`, parses the server's messages, answers its pings, and
 * fails when they stop.
 */
export class ChatConnection {
  readonly #handlers: ChatConnectionHandlers;
  readonly #options: ChatConnectionOptions;
  readonly #opening = new AbortController();
  readonly #linkEnd = Promise.withResolvers<void>();
  #link: Link | undefined;
  #isGreeted = false;
  #isClosed = false;
  /** Whether the last `hello` named a session. */
  #hasSession = false;
  #heardAtMs = 0;
  /** Before `hello`: the connect timeout. After it: the check for missing pings. */
  #timer: ReturnType<typeof setTimeout>;

  constructor(handlers: ChatConnectionHandlers, options: ChatConnectionOptions) {
    this.#handlers = handlers;
    this.#options = options;
    const { timeoutMs } = options;
    this.#timer = setTimeout(() => this.fail(new ChatError("timeout", noAnswer(timeoutMs))), timeoutMs);
  }

  /** Opens the link and sends `hello`. Never rejects: a failure reaches the `close` handler. */
  async open(openLink: OpenLink): Promise<void> {
    if (this.#isClosed) return;
    try {
      const link = await openLink(
        {
          message: (text) => this.#receive(text),
          close: (error) => {
            this.#linkEnd.resolve();
            this.fail(new ChatError("disconnected", lost(error), { cause: error }));
          },
        },
        this.#opening.signal,
      );
      this.#link = link;
      if (this.#isClosed) link.close();
      else this.#sayHello(this.#options.session);
    } catch (error) {
      this.fail(cannotOpen(error));
    }
  }

  /** Sends a request's text. */
  send(text: string): void {
    this.#link?.send(text);
  }

  /** Ends the connection without calling a handler. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#opening.abort();
    this.#link?.close();
  }

  /**
   * Ends the session and the connection, without calling a handler. Resolves when the server has ended the link: it has
   * then carried out all requests. Waits at most 1 second.
   */
  async end(): Promise<void> {
    const link = this.#link;
    if (link !== undefined && !this.#isClosed) {
      this.#say({ type: "bye" });
      this.#isClosed = true; // What still arrives is ignored.
      clearTimeout(this.#timer);
      const timer = setTimeout(() => this.#linkEnd.resolve(), BYE_MS_MAX);
      await this.#linkEnd.promise;
      clearTimeout(timer);
      link.close();
    } else this.close();
  }

  /** Ends the connection and calls the `close` handler. */
  fail(error: ChatError): void {
    if (this.#isClosed) return;
    this.close();
    this.#handlers.close(error);
  }

  #say(request: Request): void {
    this.send(JSON.stringify(request));
  }

  #sayHello(session: ChatConnectionOptions["session"]): void {
    this.#hasSession = session.session !== undefined;
    this.#say({ type: "hello", id: this.#options.nextId(), version: 2, ...session });
  }

  #receive(text: string): void {
    if (this.#isClosed) return;
    this.#heardAtMs = Date.now();
    try {
      const message = parseServerMessage(text);
      if (message?.type === "ping") this.#say({ type: "pong" });
      else if (message !== undefined) this.#dispatch(message);
    } catch (error) {
      this.fail(this.#isGreeted ? protocolError(error) : noChatServer(error));
    }
  }

  #dispatch(message: ServerMessage): void {
    if (this.#isGreeted || message.type === "bye") this.#handlers.message(message);
    else if (message.type === "hello") this.#greeted(message);
    else if (message.type === "error") this.#refused(asError(message));
    // The welcome before `hello` is for clients of version 1.
  }

  #greeted(hello: HelloMessage): void {
    const { pingMs } = hello.limits;
    this.#isGreeted = true;
    clearTimeout(this.#timer);
    if (pingMs > 0) this.#watchSilence(pingMs + this.#options.timeoutMs);
    this.#handlers.hello(hello);
  }

  #refused(error: ChatError): void {
    if (error.code === "session-unknown" && this.#hasSession) {
      this.#handlers.sessionUnknown();
      this.#sayHello({});
    } else this.fail(error);
  }

  /** Fails the connection after `silenceMs` without a message: a dead TCP connection reports no error while idle. */
  #watchSilence(silenceMs: number): void {
    const restMs = this.#heardAtMs + silenceMs - Date.now();
    if (restMs <= 0)
      this.fail(new ChatError("disconnected", `Connection lost: the server was silent for ${silenceMs} ms`));
    else this.#timer = setTimeout(() => this.#watchSilence(silenceMs), Math.min(restMs, TIMER_MS_MAX));
  }
}

function noAnswer(timeoutMs: number): string {
  return `Cannot connect: the server did not answer within ${timeoutMs} ms`;
}

function lost(error: Error | undefined): string {
  return `Connection lost: ${error?.message ?? "the server ended it"}`;
}

/** The text of `cause` may quote the server, so it is not repeated. */
function protocolError(cause: unknown): ChatError {
  return new ChatError("protocol-error", "Connection lost: the server broke the chat's protocol", { cause });
}

function noChatServer(cause: unknown): ChatError {
  return new ChatError("not-a-chat-server", "Cannot connect: the server does not speak the chat protocol", { cause });
}

/** The error of {@link OpenLink} already names the action and the address. */
function cannotOpen(error: unknown): ChatError {
  return new ChatError("disconnected", error instanceof Error ? error.message : String(error), { cause: error });
}

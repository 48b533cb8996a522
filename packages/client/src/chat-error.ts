import type { ErrorMessage } from "@landline/protocol";

/**
 * What a client's call can fail with: the server's own codes, and
 * `disconnected` (the link broke, or there is none), `not-a-chat-server` (what answers speaks another wire),
 * `timeout` (no answer came), `queue-full` (too many calls wait), `closed` (by {@link ChatClient.close}) and `bye`
 * (the server ended it for good).
 */
export type ChatErrorCode =
  | NonNullable<ErrorMessage["code"]>
  | "disconnected"
  | "not-a-chat-server"
  | "timeout"
  | "queue-full"
  | "closed"
  | "bye";

/** See {@link ChatError}. */
export interface ChatErrorOptions extends ErrorOptions {
  /** When trying again makes sense, in milliseconds from now. */
  readonly retryAfterMs?: number | undefined;
}

/** A call of the chat client that failed. */
export class ChatError extends Error {
  override readonly name = "ChatError";
  readonly code: ChatErrorCode;
  /** When trying again makes sense, in milliseconds from the answer, where the server said so. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ChatErrorCode, message: string, options: ChatErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The client's view of an error that the server sent. */
export function asError({ code, message, retryAfterMs }: ErrorMessage): ChatError {
  return new ChatError(code ?? "invalid-request", message, { retryAfterMs });
}

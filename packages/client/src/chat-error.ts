import type { ErrorMessage } from "@landline/protocol";

/**
 * Why a call of the client failed: a code of the server, or one of the client's own.
 *
 * - `disconnected`: the link broke, or there is none.
 * - `not-a-chat-server`: the peer does not speak the chat's protocol.
 * - `protocol-error`: the server sent a message with a wrong shape after `hello`. The link ends and the client reconnects.
 * - `timeout`: no answer came in time.
 * - `queue-full`: too many calls wait for an answer.
 * - `closed`: the caller closed the client.
 * - `bye`: the server ended the session for good.
 * - `kicked`: the user was taken out of a room.
 */
export type ChatErrorCode =
  | NonNullable<ErrorMessage["code"]>
  | "disconnected"
  | "not-a-chat-server"
  | "timeout"
  | "queue-full"
  | "closed"
  | "bye"
  | "kicked";

/** See {@link ChatError}. */
export interface ChatErrorOptions extends ErrorOptions {
  /** Earliest useful retry, in milliseconds from now. */
  readonly retryAfterMs?: number | undefined;
}

/** A failed call of {@link ChatClient}, or a reason that its events carry. */
export class ChatError extends Error {
  override readonly name = "ChatError";
  readonly code: ChatErrorCode;
  /** Earliest useful retry, in milliseconds from the answer; `undefined` when the server names no time. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ChatErrorCode, message: string, options: ChatErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Converts an error message of the server. */
export function asError({ code, message, retryAfterMs }: ErrorMessage): ChatError {
  return new ChatError(code ?? "invalid-request", message, { retryAfterMs });
}

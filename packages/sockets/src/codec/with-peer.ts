import { SocketError, type SocketErrorFields, toOrFrom } from "../errors.ts";

/**
 * Adds the peer to an error of a codec, which does not know it: `from` the peer for reading, `to` the peer for writing.
 */
export function withPeer(error: unknown, word: "from" | "to", facts: SocketErrorFields): unknown {
  if (!(error instanceof SocketError)) return error;
  const { name: _, code, message, ...fields } = error;
  const text = message.replace(/^Cannot [^:]+/, (action) => `${action}${toOrFrom(word, facts.remote)}`);
  const cause = "cause" in error ? { cause: error.cause } : {};
  return new SocketError(code, text, { ...(fields as SocketErrorFields), ...facts, ...cause });
}

import { SocketError, type SocketErrorFields, toOrFrom } from "../errors.ts";

/** A codec's error with what the codec does not know: whose bytes they are, `from` that peer or `to` it. */
export function withPeer(error: unknown, word: "from" | "to", facts: SocketErrorFields): unknown {
  if (!(error instanceof SocketError)) return error;
  const { name: _, code, message, ...fields } = error;
  const text = message.replace(/^Cannot [^:]+/, (action) => `${action}${toOrFrom(word, facts.remote)}`);
  const cause = "cause" in error ? { cause: error.cause } : {};
  return new SocketError(code, text, { ...(fields as SocketErrorFields), ...facts, ...cause });
}

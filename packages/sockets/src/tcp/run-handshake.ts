import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { fromNodeError, SocketError, type SocketErrorFields } from "../errors.ts";
import type { Wait } from "../wait.ts";
import type { Handshake, HandshakeOutcome } from "./handshake.ts";

/** The action and the facts that the errors of a handshake have. */
export interface HandshakeContext {
  /** `Cannot start TLS with 127.0.0.1:25`. */
  readonly action: string;
  facts(): SocketErrorFields;
}

/**
 * Makes a handshake over a paused socket that has no listeners, unless `wait` is settled before. `take` gets the TLS socket
 * in the event itself, so that nothing that follows finds it without its listeners; then `wait` resolves.
 *
 * Otherwise `wait` rejects with a {@link SocketError} or with what Node threw at the options. The socket must not be used
 * any more then. Destroy it in another turn of the event loop: the code that runs now may have been called by OpenSSL.
 */
export function runHandshake(
  below: Socket,
  handshake: Handshake,
  { action, facts }: HandshakeContext,
  wait: Wait<void>,
  take: (secured: TLSSocket) => void,
): void {
  // What goes wrong below is told by the TLS socket; and a peer that left before is noticed by nobody else.
  below.on("error", () => undefined);
  // A peer that finishes in a handshake has given it up; Node notices that only where it may answer with an end.
  below.allowHalfOpen = false;
  below.once("close", () => wait.reject(new SocketError("closed", `${action}: the connection is closed`, facts())));
  const outcome: HandshakeOutcome = {
    secured: (secured) => {
      if (wait.isSettled) return;
      secured.allowHalfOpen = true;
      take(secured);
      wait.resolve();
    },
    failed: (error) => wait.reject(fromNodeError(error, action, facts())),
  };
  const begin = (error?: Error | null): void => {
    if (wait.isSettled) return;
    try {
      if (!error) handshake(below, outcome);
      // Otherwise the close that follows says more.
      else if (!below.destroyed) outcome.failed(error);
    } catch (failure) {
      // Options that Node looks at only now.
      wait.reject(failure);
    }
  };
  // Node would wait for that too, and then not survive that the stream is gone.
  if (below.writableLength > 0) below.write("", begin);
  else begin();
}

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { fromNodeError, SocketError, type SocketErrorFields } from "../errors.ts";
import { Wait, type WaitOptions } from "../wait.ts";
import type { Handshake, HandshakeOutcome } from "./handshake.ts";

/** What a handshake is part of, for its errors. */
export interface HandshakeContext {
  /** `Cannot start TLS with 127.0.0.1:25`. */
  readonly action: string;
  facts(): SocketErrorFields;
}

/**
 * Makes a handshake over a paused socket that has no listeners. `take` gets the TLS socket in the event itself, so that
 * nothing that follows finds it without its listeners.
 *
 * Rejects with a {@link SocketError}, with the signal's reason, or with what Node threw at the options; the socket is of no
 * use any more then.
 */
export function runHandshake(
  below: Socket,
  handshake: Handshake,
  { action, facts }: HandshakeContext,
  options: WaitOptions,
  take: (secured: TLSSocket) => void,
): Promise<void> {
  const wait = new Wait<void>(
    options,
    () => action,
    () => undefined,
    facts,
  );
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
  return wait.promise;
}

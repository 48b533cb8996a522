import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { fromNodeError, SocketError, type SocketErrorFields } from "../errors.ts";
import type { Wait } from "../wait.ts";
import type { Handshake, HandshakeOutcome } from "./handshake.ts";

/** The start of an error text and the fields of the errors of a handshake. */
export interface HandshakeContext {
  /** `Cannot start TLS with 127.0.0.1:25`. */
  readonly action: string;
  facts(): SocketErrorFields;
}

/**
 * Runs a handshake over a paused socket that has no listeners, unless `wait` is already settled. Calls `take` with the
 * TLS socket inside the event itself, so that its listeners are there before its next event, and then resolves `wait`.
 *
 * On failure `wait` rejects with a {@link SocketError}, or with the error that Node threw for the options. Do not use
 * the socket after that, except to destroy it.
 */
export function runHandshake(
  below: Socket,
  handshake: Handshake,
  { action, facts }: HandshakeContext,
  wait: Wait<void>,
  take: (secured: TLSSocket) => void,
): void {
  // The TLS socket reports errors of the socket below it. A peer that left before the handshake shows only as a `close`
  // of the socket below.
  below.on("error", () => undefined);
  // A FIN during the handshake means that the peer gave up. Node notices it only when `allowHalfOpen` is false.
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
      // A destroyed socket emits `close` next, which gives the better error.
      else if (!below.destroyed) outcome.failed(error);
    } catch (failure) {
      // Node checks some options only here.
      wait.reject(failure);
    }
  };
  // Wait until written bytes have left. Node would wait for them too, but crashes if the stream is gone by then.
  if (below.writableLength > 0) below.write("", begin);
  else begin();
}

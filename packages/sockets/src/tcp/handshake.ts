import type { Socket } from "node:net";
import { createSecureContext, type SecureContext, type SecureContextOptions, type TLSSocket } from "node:tls";
import { fromNodeError } from "../errors.ts";

/**
 * Receives the result of a handshake, called inside the event itself: the listeners of the TLS socket must be there
 * before its next event.
 */
export interface HandshakeOutcome {
  secured(socket: TLSSocket): void;
  failed(error: Error): void;
}

/** Runs a TLS handshake over a connected socket, as client or server. Reports one result, once. */
export type Handshake = (socket: Socket, outcome: HandshakeOutcome) => void;

/**
 * Parses certificates and keys once, for many handshakes.
 *
 * @throws {SocketError} `tls` when the certificate or key is invalid.
 */
export function secureContext(secrets: SecureContextOptions): SecureContext {
  try {
    return createSecureContext(secrets);
  } catch (error) {
    throw fromNodeError(error, "Cannot use the TLS certificate and key");
  }
}

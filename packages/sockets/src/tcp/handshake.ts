import type { Socket } from "node:net";
import { createSecureContext, type SecureContext, type SecureContextOptions, type TLSSocket } from "node:tls";
import { fromNodeError } from "../errors.ts";

/** What a handshake came to. It is told in the event itself: what follows on the TLS socket must find its listeners. */
export interface HandshakeOutcome {
  secured(socket: TLSSocket): void;
  failed(error: Error): void;
}

/** Makes a TLS handshake over a connected socket, on either side; tells its outcome once. */
export type Handshake = (socket: Socket, outcome: HandshakeOutcome) => void;

/**
 * Reads certificates and keys once, for many handshakes.
 *
 * @throws {SocketError} `tls` when they are none.
 */
export function secureContext(secrets: SecureContextOptions): SecureContext {
  try {
    return createSecureContext(secrets);
  } catch (error) {
    throw fromNodeError(error, "Cannot use the TLS certificate and key");
  }
}

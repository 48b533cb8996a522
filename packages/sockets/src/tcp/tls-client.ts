import { isIP } from "node:net";
import { connect as connectTls, type ConnectionOptions as NodeTlsOptions } from "node:tls";
import { textOf } from "../errors.ts";
import { type Handshake, secureContext } from "./handshake.ts";
import { toServerName } from "./server-name.ts";

/** Options for the client side of TLS. The defaults are Node's: its root certificates, TLS 1.2 and 1.3. */
export interface TlsClientOptions
  extends Pick<
    NodeTlsOptions,
    "ca" | "cert" | "key" | "passphrase" | "pfx" | "ciphers" | "minVersion" | "maxVersion" | "checkServerIdentity"
  > {
  /**
   * The name to request (SNI) and to verify. Empty: no SNI, and the host is verified. A name in another script is sent
   * as A-labels, without a trailing dot (RFC 6066).
   *
   * @default the host, if it is a name
   */
  readonly servername?: string | undefined;
  /** Protocols to offer, in order of preference (ALPN, RFC 7301). @default none */
  readonly alpn?: readonly string[] | undefined;
  /** False accepts any certificate: for tests only, as anyone can then impersonate the server. @default true */
  readonly rejectUnauthorized?: boolean | undefined;
}

/**
 * Creates the handshake with the server at `host`.
 *
 * @throws {SocketError} `tls` when a certificate or key is invalid.
 * @throws {TypeError} when there is no name to verify, or `servername` is not a host name.
 */
export function clientHandshake(host: string | undefined, options: TlsClientOptions): Handshake {
  const { alpn, rejectUnauthorized = true, checkServerIdentity, servername, ...rest } = options;
  const isChecked = rejectUnauthorized && checkServerIdentity === undefined;
  if (servername !== undefined && typeof servername !== "string") {
    throw new TypeError(`servername must be text: ${servername}`);
  }
  const named = servername || host;
  const name = toServerName(named ?? "");
  if (servername && name === "" && isIP(servername) === 0) {
    throw new TypeError(`servername must be a host name: ${JSON.stringify(servername)}`);
  }
  if (named === undefined && isChecked) {
    throw new TypeError("servername must be given: the host of the connection is not known");
  }
  const context = secureContext(rest);
  return (socket, outcome) => {
    const secured = connectTls({
      ...rest,
      secureContext: context,
      socket,
      // SNI must not be an IP address (RFC 6066), but the certificate must still match it.
      ...(named === undefined ? {} : { host: name || named }),
      rejectUnauthorized,
      ...(name === "" || isIP(name) !== 0 || servername === "" ? {} : { servername: name }),
      ...(checkServerIdentity === undefined ? {} : { checkServerIdentity: guarded(checkServerIdentity) }),
      ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
    });
    const failed = (error: Error): void => {
      secured.off("close", closed);
      outcome.failed(error);
    };
    const closed = (): void => {
      secured.off("error", failed);
      outcome.failed(Object.assign(new Error("the peer closed the connection"), { code: "ECONNRESET" }));
    };
    // Node emits errors of the socket below here too, several times and even after the end.
    secured.on("error", () => undefined);
    secured.once("error", failed).once("close", closed);
    secured.once("secureConnect", () => {
      secured.off("error", failed).off("close", closed);
      outcome.secured(secured);
    });
  };
}

type Check = NonNullable<NodeTlsOptions["checkServerIdentity"]>;

/**
 * Wraps the caller's check. An exception in it would be uncaught, because Node calls it in an event. Its result is
 * always a certificate error.
 */
function guarded(check: Check): Check {
  return (name, certificate) => {
    let refusal: unknown;
    try {
      refusal = check(name, certificate);
      if (refusal === undefined) return undefined;
    } catch (error) {
      refusal = error;
    }
    const text = textOf(refusal);
    return Object.assign(new Error(text, { cause: refusal }), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  };
}

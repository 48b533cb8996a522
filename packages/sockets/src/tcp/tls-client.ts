import { isIP } from "node:net";
import { connect as connectTls, type ConnectionOptions as NodeTlsOptions } from "node:tls";
import { textOf } from "../errors.ts";
import { type Handshake, secureContext } from "./handshake.ts";
import { toServerName } from "./server-name.ts";

/** How a client speaks TLS. The defaults are Node's: its root certificates, TLS 1.2 and 1.3. */
export interface TlsClientOptions
  extends Pick<
    NodeTlsOptions,
    "ca" | "cert" | "key" | "passphrase" | "pfx" | "ciphers" | "minVersion" | "maxVersion" | "checkServerIdentity"
  > {
  /**
   * The name that the server is asked for (SNI) and must prove; empty to ask for none. A name in another script is sent
   * as A-labels, and a dot at its end is left out (RFC 6066).
   *
   * @default the host, if it is a name
   */
  readonly servername?: string | undefined;
  /** Protocols offered, the best first (ALPN, RFC 7301). @default none */
  readonly alpn?: readonly string[] | undefined;
  /** False takes any certificate: for tests, never for secrets. @default true */
  readonly rejectUnauthorized?: boolean | undefined;
}

/**
 * The handshake with the server that was connected to as `host`.
 *
 * @throws {SocketError} `tls` when the secrets are none.
 * @throws {TypeError} when there is no name that the server could prove, or `servername` is not one.
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
    throw new TypeError(`servername must be the name of a host: ${JSON.stringify(servername)}`);
  }
  if (named === undefined && isChecked) {
    throw new TypeError("servername must be given: whom the connection was made to is not known");
  }
  const context = secureContext(rest);
  return (socket, outcome) => {
    const secured = connectTls({
      ...rest,
      secureContext: context,
      socket,
      // An address is not sent as a name, but the certificate must still be for it.
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
    // Node tells here what goes wrong below, also a second time and after the end.
    secured.on("error", () => undefined);
    secured.once("error", failed).once("close", closed);
    secured.once("secureConnect", () => {
      secured.off("error", failed).off("close", closed);
      outcome.secured(secured);
    });
  };
}

type Check = NonNullable<NodeTlsOptions["checkServerIdentity"]>;

/** What it throws would be nobody's, in an event of Node's; and all it finds is about the certificate. */
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

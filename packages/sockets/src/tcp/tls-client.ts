import { isIP, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions as NodeTlsOptions, type TLSSocket } from "node:tls";

/** How a client speaks TLS. The defaults are Node's: its root certificates, TLS 1.2 and 1.3. */
export interface TlsClientOptions
  extends Pick<
    NodeTlsOptions,
    "ca" | "cert" | "key" | "passphrase" | "pfx" | "ciphers" | "minVersion" | "maxVersion" | "checkServerIdentity"
  > {
  /** The name that the server is asked for (SNI) and must prove. @default the host, if it is a name */
  readonly servername?: string | undefined;
  /** Protocols offered, the best first (ALPN, RFC 7301). @default none */
  readonly alpn?: readonly string[] | undefined;
  /** False takes any certificate: for tests, never for secrets. @default true */
  readonly rejectUnauthorized?: boolean | undefined;
}

/** Begins a handshake on a connected socket; `secureConnect` tells that it is done. */
export function beginTls(socket: Socket, host: string, options: TlsClientOptions): TLSSocket {
  const { alpn, servername = isIP(host) === 0 ? host : undefined, rejectUnauthorized = true, ...rest } = options;
  // What goes wrong below is told by the TLS socket.
  socket.on("error", () => undefined);
  return connectTls({
    ...rest,
    socket,
    // Of an address no name is asked, but the certificate must still be for it.
    host,
    rejectUnauthorized,
    ...(servername === undefined ? {} : { servername }),
    ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
  });
}

import {
  createServer,
  type TlsOptions as NodeTlsOptions,
  type SecureContext,
  type Server,
  type TLSSocket,
} from "node:tls";
import { type Handshake, type HandshakeOutcome, secureContext } from "./handshake.ts";

/** A certificate with its key, and what else a server's side of TLS is made of. The defaults are Node's: TLS 1.2 and 1.3. */
export type TlsSecrets = Pick<
  NodeTlsOptions,
  "ca" | "cert" | "key" | "passphrase" | "pfx" | "crl" | "ciphers" | "minVersion" | "maxVersion"
> & {
  /** Others for clients that ask for these names (SNI); `*.example.com` is every name one label below. @default none */
  readonly names?: Readonly<Record<string, Omit<TlsSecrets, "names">>> | undefined;
};

/** How a server speaks TLS. */
export type TlsServerOptions = TlsSecrets & {
  /** Protocols that the server speaks, the best first (ALPN, RFC 7301). A client that offers none of them is refused. */
  readonly alpn?: readonly string[] | undefined;
  /** Ask clients for a certificate. @default false */
  readonly requestCert?: boolean | undefined;
  /** Refuse clients without a certificate that `ca` has signed, where one is asked for. @default true */
  readonly rejectUnauthorized?: boolean | undefined;
};

/** Node's own limit on a silent handshake; ours, on the whole of it, is the caller's. */
const NODE_HANDSHAKE_MS = 2 ** 31 - 1;

/**
 * The server's side of TLS handshakes. Node's own server makes them, without listening itself: it alone checks the
 * certificates of clients.
 */
export class TlsAcceptor {
  readonly #server: Server;
  readonly #handshakes = new Map<unknown, HandshakeOutcome>();
  #names: ReadonlyMap<string, SecureContext>;

  /** @throws {SocketError} `tls` when the secrets are none. */
  constructor({ alpn, names, requestCert = false, rejectUnauthorized = true, ...secrets }: TlsServerOptions) {
    this.#names = contextsOf(names);
    secureContext(secrets);
    this.#server = createServer({
      ...secrets,
      requestCert,
      rejectUnauthorized,
      handshakeTimeout: NODE_HANDSHAKE_MS,
      SNICallback: (name, done) => done(null, this.#contextFor(name.toLowerCase())),
      ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
    });
    this.#server.on("secureConnection", (secured) => this.#take(secured)?.secured(secured));
    this.#server.on("tlsClientError", (error, secured) => this.#take(secured)?.failed(error));
  }

  /** Takes other secrets for handshakes that begin from now on; where they are none, those before stay. */
  setSecureContext({ names, ...secrets }: TlsSecrets): void {
    const contexts = contextsOf(names);
    // Node drops the old ones before it looks at the new.
    secureContext(secrets);
    this.#server.setSecureContext(secrets);
    this.#names = contexts;
  }

  /** Makes the handshake with a client that connected. */
  readonly handshake: Handshake = (socket, outcome) => {
    this.#handshakes.set(socket, outcome);
    this.#server.emit("connection", socket);
  };

  #take(secured: TLSSocket): HandshakeOutcome | undefined {
    // The one thing that tells whose handshake it was.
    const { _parent: socket } = secured as { _parent?: unknown };
    const outcome = this.#handshakes.get(socket);
    this.#handshakes.delete(socket);
    return outcome;
  }

  #contextFor(name: string): SecureContext | undefined {
    return this.#names.get(name) ?? this.#names.get(name.replace(/^[^.]*/, "*"));
  }
}

function contextsOf(names: TlsSecrets["names"]): ReadonlyMap<string, SecureContext> {
  return new Map(Object.entries(names ?? {}).map(([name, secrets]) => [name.toLowerCase(), secureContext(secrets)]));
}

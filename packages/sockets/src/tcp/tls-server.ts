import {
  createServer,
  type TlsOptions as NodeTlsOptions,
  type SecureContext,
  type Server,
  type TLSSocket,
} from "node:tls";
import { SocketError } from "../errors.ts";
import { type Handshake, type HandshakeOutcome, secureContext } from "./handshake.ts";
import { toServerName } from "./server-name.ts";

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

/** What the types do not know. */
interface SecuredParts {
  readonly _parent?: unknown;
  readonly _handle?: { readonly _parentWrap?: { readonly stream?: unknown } } | null;
}

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
  #secrets: TlsSecrets;

  /**
   * @throws {SocketError} `tls` when the secrets are none.
   * @throws {TypeError} when a key of `names` is not the name of a host.
   */
  constructor({ alpn, requestCert = false, rejectUnauthorized = true, ...secrets }: TlsServerOptions) {
    this.#secrets = secrets;
    this.#names = contextsOf(secrets);
    const { names: _, ...own } = secrets;
    this.#server = createServer({
      ...own,
      requestCert,
      rejectUnauthorized,
      handshakeTimeout: NODE_HANDSHAKE_MS,
      SNICallback: (name, done) => done(null, this.#contextFor(toServerName(name))),
      ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
    });
    this.#server.on("secureConnection", (secured) => this.#take(secured)?.secured(secured));
    this.#server.on("tlsClientError", (error, secured) => this.#take(secured)?.failed(error));
  }

  /**
   * Takes other secrets for handshakes that begin from now on. What is not given stays as it was; see {@link renewed}. All
   * stays where the secrets are invalid.
   */
  setSecureContext(given: TlsSecrets): void {
    const secrets = renewed(this.#secrets, given);
    // Node drops the old ones before it looks at the new.
    const contexts = contextsOf(secrets);
    const { names: _, ...own } = secrets;
    this.#server.setSecureContext(own);
    this.#names = contexts;
    this.#secrets = secrets;
  }

  /** Makes the handshake with a client that connected. */
  readonly handshake: Handshake = (socket, outcome) => {
    this.#handshakes.set(socket, outcome);
    this.#server.emit("connection", socket);
  };

  #take(secured: TLSSocket): HandshakeOutcome | undefined {
    // The one thing that tells whose handshake it was; where it is no socket of the kernel's, it is one further down.
    const { _parent, _handle } = secured as SecuredParts;
    const socket = _parent ?? _handle?._parentWrap?.stream;
    const outcome = this.#handshakes.get(socket);
    this.#handshakes.delete(socket);
    return outcome;
  }

  #contextFor(name: string): SecureContext | undefined {
    return this.#names.get(name) ?? this.#names.get(name.replace(/^[^.]*/, "*"));
  }
}

/**
 * The secrets from now on. Node forgets what it is not given; whoever renews a certificate would then take clients of every
 * public authority, or revoked ones, or older versions of TLS. Certificate and key are renewed together.
 */
function renewed(before: TlsSecrets, given: TlsSecrets): TlsSecrets {
  const news = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  if (Object.keys(news).length === 0) {
    throw new SocketError("tls", "Cannot use the TLS certificate and key: nothing was given");
  }
  const { cert, key, passphrase, pfx, ...rest } = before;
  const hasCertificate = ["cert", "key", "passphrase", "pfx"].some((name) => name in news);
  return { ...(hasCertificate ? rest : before), ...news };
}

/**
 * Checks the secrets and makes the contexts of their names. Node asks the context of the name whom to trust.
 *
 * @throws {SocketError} `tls` when they are invalid.
 */
function contextsOf({ names = {}, ...own }: TlsSecrets): ReadonlyMap<string, SecureContext> {
  const { cert, key, pfx, ca, crl } = own;
  const contexts = new Map<string, SecureContext>();
  for (const [name, secrets] of Object.entries(names)) {
    const asked = toServerName(name);
    if (asked === "") throw new TypeError(`names must be names of hosts: ${JSON.stringify(name)}`);
    contexts.set(asked, secureContext({ ca, crl, ...secrets }));
  }
  secureContext(own);
  if (pfx !== undefined || (cert !== undefined && key !== undefined) || contexts.size > 0) return contexts;
  throw new SocketError("tls", "Cannot use the TLS certificate and key: cert and key, pfx or names must be given");
}

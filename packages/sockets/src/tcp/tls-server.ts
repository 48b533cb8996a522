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

/**
 * The certificate and key of a server and the other settings of its TLS side. The defaults are Node's: TLS 1.2 and 1.3.
 */
export type TlsSecrets = Pick<
  NodeTlsOptions,
  "ca" | "cert" | "key" | "passphrase" | "pfx" | "crl" | "ciphers" | "minVersion" | "maxVersion"
> & {
  /**
   * Other certificates by the name that a client asks for (SNI). `*.example.com` matches names with one label in place
   * of `*`.
   *
   * @default none
   */
  readonly names?: Readonly<Record<string, Omit<TlsSecrets, "names">>> | undefined;
};

/** Options for the server side of TLS. */
export type TlsServerOptions = TlsSecrets & {
  /**
   * Protocols that the server accepts, in order of preference (ALPN, RFC 7301). A client that offers ALPN protocols but
   * none of these is refused.
   */
  readonly alpn?: readonly string[] | undefined;
  /** Asks clients for a certificate. @default false */
  readonly requestCert?: boolean | undefined;
  /** With `requestCert`: refuses clients without a certificate that `ca` has signed. @default true */
  readonly rejectUnauthorized?: boolean | undefined;
};

/** Fields of Node's TLS socket that `@types/node` does not declare. */
interface SecuredParts {
  readonly _parent?: unknown;
  readonly _handle?: { readonly _parentWrap?: { readonly stream?: unknown } } | null;
}

/** Disables Node's own handshake timeout. The caller of the handshake limits its whole time. */
const NODE_HANDSHAKE_MS = 2 ** 31 - 1;

/**
 * The server side of TLS handshakes. It uses a Node TLS server that does not listen, because only that checks the
 * certificates of clients.
 */
export class TlsAcceptor {
  readonly #server: Server;
  readonly #handshakes = new Map<unknown, HandshakeOutcome>();
  #names: ReadonlyMap<string, SecureContext>;
  #secrets: TlsSecrets;

  /**
   * @throws {SocketError} `tls` when the certificate or key is missing or invalid.
   * @throws {TypeError} when a key of `names` is not a host name.
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
   * Replaces the settings for handshakes that begin from now on. See {@link renewed} for options that are not given.
   * Nothing changes when the new settings are invalid.
   */
  setSecureContext(given: TlsSecrets): void {
    const secrets = renewed(this.#secrets, given);
    // Validate first: Node drops the old context before it checks the new one.
    const contexts = contextsOf(secrets);
    const { names: _, ...own } = secrets;
    this.#server.setSecureContext(own);
    this.#names = contexts;
    this.#secrets = secrets;
  }

  /** Runs the handshake with a connected client. */
  readonly handshake: Handshake = (socket, outcome) => {
    this.#handshakes.set(socket, outcome);
    this.#server.emit("connection", socket);
  };

  #take(secured: TLSSocket): HandshakeOutcome | undefined {
    // Only the underlying socket links the TLS socket to its handshake. Node wraps a stream that is not a kernel socket
    // once more, so it is one level further down there.
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
 * Merges new settings into the old ones. Node resets each option that it is not given. Without this merge, a renewed
 * certificate would also drop `ca`, `crl` and `minVersion`: the server would then accept clients of every public
 * authority, revoked certificates and older TLS versions. `cert`, `key`, `passphrase` and `pfx` are replaced together.
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
 * Validates the settings and builds one context per name. Each context needs `ca` and `crl`: Node checks a client's
 * certificate with the context of the name it asked for.
 *
 * @throws {SocketError} `tls` when the certificate or key is missing or invalid.
 * @throws {TypeError} when a key of `names` is not a host name.
 */
function contextsOf({ names = {}, ...own }: TlsSecrets): ReadonlyMap<string, SecureContext> {
  const { cert, key, pfx, ca, crl } = own;
  const contexts = new Map<string, SecureContext>();
  for (const [name, secrets] of Object.entries(names)) {
    const asked = toServerName(name);
    if (asked === "") throw new TypeError(`names must be host names: ${JSON.stringify(name)}`);
    contexts.set(asked, secureContext({ ca, crl, ...secrets }));
  }
  secureContext(own);
  if (pfx !== undefined || (cert !== undefined && key !== undefined) || contexts.size > 0) return contexts;
  throw new SocketError("tls", "Cannot use the TLS certificate and key: cert and key, pfx or names must be given");
}

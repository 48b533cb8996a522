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
  /** Who signs the certificates of clients. */
  #trust: Pick<TlsSecrets, "ca" | "crl">;

  /**
   * @throws {SocketError} `tls` when the secrets are none.
   * @throws {TypeError} when a key of `names` is not the name of a host.
   */
  constructor({ alpn, names, requestCert = false, rejectUnauthorized = true, ...secrets }: TlsServerOptions) {
    this.#trust = { ca: secrets.ca, crl: secrets.crl };
    this.#names = contextsOf(names, this.#trust);
    checkSecrets(secrets, this.#names);
    this.#server = createServer({
      ...secrets,
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
   * Takes other secrets for handshakes that begin from now on; where they are none, those before stay. So do `ca` and
   * `crl` that are not given: without them Node would trust clients of every public authority.
   */
  setSecureContext({ names, ...rest }: TlsSecrets): void {
    const trust = rest.ca === undefined && rest.crl === undefined ? this.#trust : { ca: rest.ca, crl: rest.crl };
    const secrets = { ...rest, ...trust };
    const contexts = contextsOf(names, trust);
    // Node drops the old ones before it looks at the new.
    checkSecrets(secrets, contexts);
    this.#server.setSecureContext(secrets);
    this.#names = contexts;
    this.#trust = trust;
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

/** Node asks the context of the name whom to trust. */
function contextsOf(
  names: TlsSecrets["names"],
  trust: Pick<TlsSecrets, "ca" | "crl">,
): ReadonlyMap<string, SecureContext> {
  const contexts = new Map<string, SecureContext>();
  for (const [name, secrets] of Object.entries(names ?? {})) {
    const asked = toServerName(name);
    if (asked === "") throw new TypeError(`names must be names of hosts: ${JSON.stringify(name)}`);
    contexts.set(asked, secureContext({ ...trust, ...secrets }));
  }
  return contexts;
}

function checkSecrets(secrets: Omit<TlsSecrets, "names">, names: ReadonlyMap<string, SecureContext>): void {
  secureContext(secrets);
  const { cert, key, pfx } = secrets;
  if (pfx !== undefined || (cert !== undefined && key !== undefined) || names.size > 0) return;
  throw new SocketError("tls", "Cannot use the TLS certificate and key: cert and key, pfx or names must be given");
}

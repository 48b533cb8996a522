import { lookup as systemLookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { fromNodeError, SocketError } from "../errors.ts";

/** Names remembered per socket; the one looked up first is forgotten first. */
const NAMES_MAX = 256;
/** How long the addresses of a name are remembered, in milliseconds. */
const NAME_MS = 5_000;

interface Entry {
  readonly addresses: Promise<readonly string[]>;
  /** Set once the look-up has succeeded. */
  found: readonly string[] | undefined;
  expiresAt: number;
}

/**
 * The addresses of names that a socket can send to, remembered briefly: a loop that sends to a name looks it up once every few
 * seconds, not once per datagram. Failures are not remembered. Who asks while a look-up runs shares its answer.
 *
 * They are of the socket's family. A socket that speaks both sends to IPv4 addresses as IPv6 ones (RFC 4291, 2.5.5.2), and
 * to those of a name that has no other.
 */
export class NameCache {
  readonly #family: 4 | 6;
  readonly #lookup: LookupFunction;
  readonly #isDualStack: boolean;
  readonly #entries = new Map<string, Entry>();
  /** The address asked for last, and what it is sent to as: to tell that a text is one costs more than to compare two. */
  #host = "";
  #address: readonly string[] = [];

  constructor(family: 4 | 6, lookup: LookupFunction = systemLookup, isDualStack = false) {
    this.#family = family;
    this.#lookup = lookup;
    this.#isDualStack = isDualStack;
  }

  /** How many names are remembered. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * The addresses if no look-up is needed, at least one: the host is an address or is remembered.
   *
   * @throws {SocketError} `name-not-found` for an address of the other family.
   */
  known(host: string, action: () => string): readonly string[] | undefined {
    if (host === this.#host && this.#address.length > 0) return this.#address;
    const family = isIP(host);
    const isMapped = family === 4 && this.#isDualStack;
    if (family === this.#family || isMapped) {
      this.#host = host;
      this.#address = [isMapped ? mapped(host) : host];
      return this.#address;
    }
    if (family !== 0) throw noAddress(`${action()}: it is not an IPv${this.#family} address`, this.#family);
    const entry = this.#entries.get(host);
    return entry !== undefined && performance.now() < entry.expiresAt ? entry.found : undefined;
  }

  /**
   * The addresses of a host, at least one, in the order of the system's look-up.
   *
   * @throws {SocketError} `name-not-found`, also when the name has addresses of the other family only;
   * `name-lookup-failed`.
   */
  async addresses(host: string, action: () => string): Promise<readonly string[]> {
    const known = this.known(host, action);
    if (known !== undefined) return known;
    const running = this.#entries.get(host);
    const entry = running !== undefined && running.found === undefined ? running : this.#begin(host);
    try {
      const addresses = await entry.addresses;
      if (addresses.length > 0) return addresses;
    } catch (error) {
      throw fromNodeError(error, action(), { operation: "lookup" });
    }
    throw noAddress(`${action()}: the name has no IPv${this.#family} address`, this.#family);
  }

  #begin(host: string): Entry {
    const addresses = lookUp(host, this.#lookup).then((found) => {
      const own = found.filter(({ family }) => family === this.#family).map(({ address }) => address);
      return own.length === 0 && this.#isDualStack ? found.map(({ address }) => mapped(address)) : own;
    });
    const entry: Entry = { addresses, found: undefined, expiresAt: 0 };
    const forget = (): void => {
      if (this.#entries.get(host) === entry) this.#entries.delete(host);
    };
    addresses.then((found) => {
      entry.found = found;
      entry.expiresAt = performance.now() + NAME_MS;
      if (found.length === 0) forget();
    }, forget);
    this.#entries.delete(host);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size >= NAMES_MAX && oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(host, entry);
    return entry;
  }
}

/**
 * All addresses of a name, IPv4 first, or the address that it is: the seed's socket is IPv4 and so is most of UDP.
 *
 * @throws Node's own errors.
 */
export function lookUp(
  host: string,
  lookup: LookupFunction = systemLookup,
): Promise<readonly { readonly address: string; readonly family: 4 | 6 }[]> {
  const family = isIP(host);
  if (family === 4 || family === 6) return Promise.resolve([{ address: host, family }]);
  return new Promise((resolve, reject) => {
    lookup(host, { all: true, order: "ipv4first" }, (error, found) => {
      if (error !== null && error !== undefined) {
        reject(error);
        return;
      }
      const addresses = typeof found === "string" ? [found] : found.map(({ address }) => address);
      // The family is read off the address itself: a look-up of the caller's may leave it out.
      resolve(
        addresses.flatMap((address) => {
          const family = isIP(address);
          return family === 4 || family === 6 ? [{ address, family }] : [];
        }),
      );
    });
  });
}

function mapped(address: string): string {
  return `::ffff:${address}`;
}

function noAddress(text: string, family: 4 | 6): SocketError {
  return new SocketError("name-not-found", `${text}, and the socket is IPv${family}`, { operation: "lookup" });
}

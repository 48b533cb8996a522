import { lookup as systemLookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { fromNodeError, SocketError } from "../errors.ts";

/** Maximum number of names in the cache of a socket. The oldest lookup is removed first. */
const NAMES_MAX = 256;
/** How long a lookup stays in the cache, in milliseconds. */
const NAME_MS = 5_000;

interface Entry {
  readonly addresses: Promise<readonly string[]>;
  /** Set when the lookup has succeeded. */
  found: readonly string[] | undefined;
  expiresAt: number;
}

/**
 * A short-lived cache of name lookups of one socket. A loop that sends to a name looks it up once every few seconds,
 * not once per datagram. Failures are not cached. Concurrent calls share one lookup.
 *
 * Addresses are of the socket's family. A dual-stack socket sends to IPv4 addresses in IPv6 form (RFC 4291, section
 * 2.5.5.2), and uses them for a name that has no IPv6 address.
 */
export class NameCache {
  readonly #family: 4 | 6;
  readonly #lookup: LookupFunction;
  readonly #isDualStack: boolean;
  readonly #entries = new Map<string, Entry>();
  /** The last IP address and its result. Comparing two strings is cheaper than parsing an address again. */
  #host = "";
  #address: readonly string[] = [];

  constructor(family: 4 | 6, lookup: LookupFunction = systemLookup, isDualStack = false) {
    this.#family = family;
    this.#lookup = lookup;
    this.#isDualStack = isDualStack;
  }

  /** Number of cached names. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Returns at least one address if no lookup is needed: the host is an IP address or is cached.
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
   * Returns at least one address of a host, in the order of the lookup.
   *
   * @throws {SocketError} `name-not-found` when the name has no address of the socket's family.
   * @throws {SocketError} `name-lookup-failed` when the lookup failed for now.
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
 * Returns all addresses of a name, IPv4 first because most UDP services use IPv4. An IP address returns itself.
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
      // Determine the family from the address: a custom `lookup` may omit it.
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

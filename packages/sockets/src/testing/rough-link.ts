import { type Address, formatAddress } from "../address.ts";
import { type Connection, connect, type Server, serve } from "../tcp/mod.ts";
import { checkTimeout } from "../wait.ts";
import { type Roughness, RoughPath } from "./rough-path.ts";
import { SeededRandom } from "./seeded-random.ts";

/** Options for {@link roughLink}. */
export interface RoughLinkOptions {
  /** Where the link leads to: a host and a port, or the path of a Unix socket. */
  readonly to: Address;
  /** Decides where the bytes are cut and how long each piece is delayed. @default a random one, in `link.seed` */
  readonly seed?: number | undefined;
  /** Longest piece that the bytes are cut into; half of them have four bytes at most. @default 1024 */
  readonly pieceBytesMax?: number | undefined;
  /** Each piece waits at random up to so many milliseconds. @default 0 */
  readonly delayMs?: number | undefined;
  /** Bytes that pass in a second, in each direction of each connection. @default Infinity */
  readonly bytesPerSecond?: number | undefined;
  /** Each connection is reset when so many bytes have passed, both ways together. @default never */
  readonly resetAfterBytes?: number | undefined;
}

/** Above this many connections at once, further ones are dropped. */
const CONNECTIONS_MAX = 1_024;
/** What a path stores in each direction, beside what the kernel does. */
const MARKS = { readHighWaterMark: 16_384, writeHighWaterMark: 16_384 };

/** A proxy that treats what passes badly; see {@link roughLink}. */
export class RoughLink implements AsyncDisposable {
  /** The seed, to repeat what happened: give it to the next link. */
  readonly seed: number;
  readonly #to: Address;
  readonly #roughness: Roughness;
  readonly #paths = new Set<RoughPath>();
  /** Those that came in, and whose way on may not be there yet. */
  readonly #nears = new Set<Connection>();
  #server: Server | undefined;
  #count = 0;
  #isStalled = false;

  private constructor(options: RoughLinkOptions) {
    const { to, seed, pieceBytesMax = 1_024, delayMs = 0 } = options;
    const { bytesPerSecond = Number.POSITIVE_INFINITY, resetAfterBytes = Number.POSITIVE_INFINITY } = options;
    for (const [name, value] of Object.entries({ bytesPerSecond, resetAfterBytes })) {
      if (value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && value >= 1)) continue;
      throw new RangeError(`${name} must be a whole number of 1 or more, or Infinity: ${value}`);
    }
    if (!Number.isSafeInteger(pieceBytesMax) || pieceBytesMax < 1) {
      throw new RangeError(`pieceBytesMax must be a whole number of 1 or more: ${pieceBytesMax}`);
    }
    if (!Number.isInteger(delayMs)) throw new RangeError(`delayMs must be a whole number: ${delayMs}`);
    checkTimeout(delayMs, "delayMs");
    this.seed = new SeededRandom(seed).seed;
    this.#to = to;
    this.#roughness = { pieceBytesMax, delayMs, bytesPerSecond, resetAfterBytes };
  }

  /** @internal See {@link roughLink}. */
  static async open(options: RoughLinkOptions): Promise<RoughLink> {
    const link = new RoughLink(options);
    link.#server = await serve({ host: "127.0.0.1", connectionsMax: CONNECTIONS_MAX, ...MARKS }, (near, signal) =>
      link.#carry(near, signal),
    );
    return link;
  }

  /** Where to connect to instead of to the target. */
  get address(): Address {
    return this.#opened.address;
  }

  /** `127.0.0.1:5000 -> localhost:8080, seed 42`: for the message of a failed assertion. */
  toString(): string {
    return `${formatAddress(this.address)} -> ${formatAddress(this.#to)}, seed ${this.seed}`;
  }

  /** Nothing passes from now on, neither bytes nor ends; the senders feel it as a peer that does not read. */
  stall(): void {
    this.#isStalled = true;
    for (const path of this.#paths) path.hold();
  }

  /** Ends {@link stall}. */
  resume(): void {
    this.#isStalled = false;
    for (const path of this.#paths) path.release();
  }

  /** Resets both sides of all connections that are open. */
  reset(): void {
    for (const path of this.#paths) path.break();
    for (const near of this.#nears) near.reset();
  }

  /**
   * Pulls the cable of all connections that are open: neither side hears of the other any more, no end and no reset,
   * until the link is closed. As far as a proxy can: what the link's own kernel takes is acknowledged.
   */
  cut(): void {
    for (const path of this.#paths) path.cut();
  }

  /** Resets all connections and stops listening. Idempotent. */
  async close(): Promise<void> {
    this.reset();
    await this.#opened.shutdown({ timeoutMs: 0 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** One connection, from its beginning to its end. */
  async #carry(near: Connection, signal: AbortSignal): Promise<void> {
    const random = [this.#random(), this.#random()] as const;
    this.#nears.add(near);
    void near.closed.then(() => this.#nears.delete(near));
    const far = await connect({ ...this.#to, ...MARKS, signal }).catch(() => undefined);
    if (far === undefined) return near.reset();
    const path = new RoughPath(near, far, this.#roughness);
    this.#paths.add(path);
    if (this.#isStalled) path.hold();
    await path.run(random);
    this.#paths.delete(path);
    await far.close();
  }

  get #opened(): Server {
    return this.#server as Server;
  }

  #random(): SeededRandom {
    this.#count += 1;
    return new SeededRandom(this.seed + this.#count);
  }
}

/**
 * A bad network in front of a server: a TCP proxy that cuts the bytes into small pieces, and on demand delays, throttles,
 * stalls, resets and cuts off. All bytes arrive in order, ends and backpressure pass through, and nothing is stored beyond
 * 32 KiB and the kernel's buffers in each direction. TLS passes as the bytes it is.
 *
 * @throws {SocketError} as {@link listen}; a target that cannot be reached resets whoever connects.
 * @throws {RangeError} when an option lets nothing through.
 *
 * @example
 * ```ts
 * import { connect, framed, lines, serve } from "@landline/sockets";
 * import { roughLink } from "@landline/sockets/testing";
 * import assert from "node:assert/strict";
 *
 * await using server = await serve({}, async (connection) => {
 *   const channel = framed(connection, lines());
 *   for await (const line of channel) await channel.write(line.toUpperCase());
 * });
 * await using link = await roughLink({ to: server.address, pieceBytesMax: 3 });
 * await using channel = framed(await connect(link.address), lines());
 * await channel.write("in small pieces");
 * assert.deepEqual(await channel.read(), ["IN SMALL PIECES"], `through ${link}`);
 * ```
 */
export function roughLink(options: RoughLinkOptions): Promise<RoughLink> {
  return RoughLink.open(options);
}

import { type Address, formatAddress } from "../address.ts";
import { type Connection, connect, type Server, serve } from "../tcp/mod.ts";
import { checkTimeout } from "../wait.ts";
import { type Roughness, RoughPath } from "./rough-path.ts";
import { SeededRandom } from "./seeded-random.ts";

/** Options for {@link roughLink}. */
export interface RoughLinkOptions {
  /** The target: a host and port, or the path of a Unix socket. */
  readonly to: Address;
  /** Seed of the splits and delays. @default a random one, see {@link RoughLink.seed} */
  readonly seed?: number | undefined;
  /** Longest piece that the bytes are split into. Half of the pieces have at most four bytes. @default 1024 */
  readonly pieceBytesMax?: number | undefined;
  /** Longest random delay of a piece, in milliseconds. @default 0 */
  readonly delayMs?: number | undefined;
  /** Bytes per second, in each direction of each connection. @default Infinity */
  readonly bytesPerSecond?: number | undefined;
  /** Resets a connection after this many bytes, both directions together. @default never */
  readonly resetAfterBytes?: number | undefined;
}

/** Maximum number of connections. Further ones are dropped. */
const CONNECTIONS_MAX = 1_024;
/** Buffer limits per direction, besides the kernel's. */
const MARKS = { readHighWaterMark: 16_384, writeHighWaterMark: 16_384 };

/** A proxy that simulates a bad network. See {@link roughLink}. */
export class RoughLink implements AsyncDisposable {
  /** The seed. Pass it to another link to repeat a run. */
  readonly seed: number;
  readonly #to: Address;
  readonly #roughness: Roughness;
  readonly #paths = new Set<RoughPath>();
  /** Incoming connections, including those whose target is not connected yet. */
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

  /** The address to connect to instead of the target. */
  get address(): Address {
    return this.#opened.address;
  }

  /** Describes the link for the message of a failed assertion: `127.0.0.1:5000 -> localhost:8080, seed 42`. */
  toString(): string {
    return `${formatAddress(this.address)} -> ${formatAddress(this.#to)}, seed ${this.seed}`;
  }

  /** Holds back all bytes and FINs. To the senders the peer seems to have stopped reading. */
  stall(): void {
    this.#isStalled = true;
    for (const path of this.#paths) path.hold();
  }

  /** Ends {@link stall}. */
  resume(): void {
    this.#isStalled = false;
    for (const path of this.#paths) path.release();
  }

  /** Resets both sides of all open connections. */
  reset(): void {
    for (const path of this.#paths) path.break();
    for (const near of this.#nears) near.reset();
  }

  /**
   * Cuts all open connections without a FIN or RST. Neither side receives anything more until the link is closed. The
   * kernel of the link still acknowledges bytes: a proxy cannot prevent that.
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

  /** Forwards one connection from start to end. */
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
 * Starts a proxy that simulates a bad network in front of a server. It splits the bytes into small pieces and, on
 * demand, delays, throttles, stalls, resets and cuts connections. All bytes arrive in order. FINs and backpressure pass
 * through. It buffers at most 32 KiB per direction, besides the kernel's buffers. TLS passes through unchanged.
 *
 * A connection whose target cannot be reached is reset.
 *
 * @throws {SocketError} as {@link listen}.
 * @throws {RangeError} when an option is out of range.
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

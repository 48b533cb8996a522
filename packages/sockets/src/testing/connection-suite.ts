import { describe } from "node:test";
import type { ConnectionPair, ConnectionPairOptions } from "./connection-pair.ts";
import { endingTests } from "./ending-tests.ts";
import { readingTests } from "./reading-tests.ts";
import { writingTests } from "./writing-tests.ts";

/** Features of a transport. For a missing feature the suite asserts the documented alternative. */
export interface TransportSupport {
  /**
   * A reset reaches the peer as `reset`. When false, as for a Unix socket, it may look like a normal end.
   *
   * @default true
   */
  readonly reset?: boolean | undefined;
  /**
   * Each side finishes separately, so a side that finished can still read a response. When false, the end of one side
   * may end both.
   *
   * @default true
   */
  readonly halfClose?: boolean | undefined;
}

/** Opens a connection of the transport with these options for its ends. */
export type MakePair = (options?: ConnectionPairOptions) => ConnectionPair | Promise<ConnectionPair>;

/**
 * Registers the tests that every transport of {@link Connection}s must pass (`node:test`): exact reads at every split,
 * deadlines, aborts that lose no bytes, backpressure in both directions, half-close, close and reset, events, Web
 * Streams and detaching. Each test opens its own pair, and most take a few milliseconds; the backpressure tests move 48
 * MiB. Some tests mock timers, so the transport must not depend on them.
 *
 * @example
 * ```ts
 * import { connectionSuite, memoryPair } from "@landline/sockets/testing";
 *
 * connectionSuite("memoryPair()", memoryPair);
 * ```
 */
export function connectionSuite(name: string, makePair: MakePair, supports: TransportSupport = {}): void {
  const { reset = true, halfClose = true } = supports;
  describe(`${name} as a transport`, () => {
    readingTests(makePair);
    writingTests(makePair);
    endingTests(makePair, { reset, halfClose });
  });
}

import { describe } from "node:test";
import type { ConnectionPair, ConnectionPairOptions } from "./connection-pair.ts";
import { endingTests } from "./ending-tests.ts";
import { readingTests } from "./reading-tests.ts";
import { writingTests } from "./writing-tests.ts";

/** What a transport can do; what it cannot is declared, and then the suite asserts what happens instead. */
export interface TransportSupport {
  /** A reset reaches the peer as `reset`. Where not, as on a Unix socket, it may look like an end. @default true */
  readonly reset?: boolean | undefined;
  /**
   * Each side finishes by itself: who finished can still be answered. Where not, one side's end may be the end of both.
   * @default true
   */
  readonly halfClose?: boolean | undefined;
}

/** Opens a connection of the transport, with these options for its ends. */
export type MakePair = (options?: ConnectionPairOptions) => ConnectionPair | Promise<ConnectionPair>;

/**
 * Registers the tests that every transport has to pass (`node:test`) whose connections are {@link Connection}s: exact
 * reads across any cut, deadlines past and to come, aborts that lose nothing, backpressure both ways, half-close, close
 * and reset, events, Web Streams, detaching. Each test takes a pair of its own, and most of them some milliseconds; those
 * of backpressure move 48 MiB. Timers are mocked in some: a transport must not need any.
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

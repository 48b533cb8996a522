/**
 * A kit to test one's own protocol with: connections without a port, bad networks, and the suites that the toolkit's own
 * codecs and transports pass. It imports `node:test` and `node:assert`, which nothing else of the toolkit does.
 *
 * @module
 */
export { type CodecSample, type CodecSuiteOptions, codecSuite } from "./codec-suite.ts";
export { type ConnectionPair, type ConnectionPairOptions, pairOf } from "./connection-pair.ts";
export { connectionSuite, type MakePair, type TransportSupport } from "./connection-suite.ts";
export { cutAt, cutsOf } from "./cuts.ts";
export { assertDecodes, type DecodeOutcome, decodeAll, type ExpectedError } from "./decode-all.ts";
export { type MemoryPairOptions, memoryPair } from "./memory-pair.ts";
export { RoughLink, type RoughLinkOptions, roughLink } from "./rough-link.ts";

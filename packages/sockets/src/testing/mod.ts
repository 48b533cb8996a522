/**
 * Tools to test your own protocol: connections without a port, bad networks, and the test suites that the toolkit's own
 * codecs and transports pass. Only this module imports `node:test` and `node:assert`.
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

export type { Codec, Decoder } from "./codec.ts";
export { type DelimitedOptions, delimited } from "./delimited.ts";
export { Framed, type FramedOptions, framed } from "./framed.ts";
export { type JsonOptions, type JsonValue, json } from "./json.ts";
export { type LengthPrefixedOptions, lengthPrefixed } from "./length-prefixed.ts";
export { type LinesOptions, lines } from "./lines.ts";
export { netstrings } from "./netstrings.ts";
export type { SizedOptions } from "./sized-decoder.ts";
export { varintPrefixed } from "./varint-prefixed.ts";

export { version1, version2 } from "./encoder.ts";
export { INVALID_JSON, RequestReader } from "./reader.ts";

export { version1, version2 } from "./encoder.ts";
export { INVALID_JSON, readCommand, readText } from "./reader.ts";

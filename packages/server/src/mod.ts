/**
 * The Landline chat server.
 *
 * @module
 */
export { DEFAULT_CONFIG, type ServerConfig } from "./config.ts";
export { type ChatLimits, DEFAULT_LIMITS } from "./core/mod.ts";
export { type ChatServer, type ServerOptions, startServer } from "./server.ts";

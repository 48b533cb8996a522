/**
 * The Landline chat server.
 *
 * @module
 */
export { restoreBackup, writeBackup } from "./adapters/sqlite/mod.ts";
export type { SettingName, Settings } from "./check-settings.ts";
export {
  DEFAULT_CONFIG,
  type Durability,
  SETTINGS,
  type ServerConfig,
  type Setting,
} from "./config.ts";
export { type ChatLimits, DEFAULT_LIMITS } from "./core/mod.ts";
export { RoomLogError, type RoomLogErrorCode } from "./hub/mod.ts";
export {
  ConfigError,
  type ConfigSources,
  DEFAULT_SETTINGS,
  flagOf,
  type LoadedConfig,
  loadConfig,
  type Origin,
  variableOf,
} from "./load-config.ts";
export { type ChatServer, type ServerOptions, startServer } from "./server.ts";
export { formatSetting, parseSetting, type SettingValue } from "./setting-value.ts";

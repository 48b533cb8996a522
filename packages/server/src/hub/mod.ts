export type { Client } from "./client.ts";
export type { Answer, RoomEvent } from "./events.ts";
export { Hub, type HubOptions } from "./hub.ts";
export type { Link } from "./link.ts";
export type { Presence, PresenceChange } from "./presence.ts";
export type { GapReason } from "./recovery.ts";
export type { Registry } from "./registry.ts";
export {
  type AppendResult,
  type ChatEntry,
  type Entry,
  type NewEntry,
  type Page,
  type ReadOptions,
  type RoomLog,
  RoomLogError,
  type RoomLogErrorCode,
  type SearchOptions,
  type SetEntry,
} from "./room-log.ts";
export { hasWords, QUERY_CHARACTERS_MAX, wordsOf } from "./search-words.ts";
export { type Batch, type Encoder, type Framing, WireFormat, type WireFormats } from "./wire-format.ts";

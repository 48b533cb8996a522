export type { Client } from "./client.ts";
export type { Answer, RoomEvent } from "./events.ts";
export { fitting } from "./fitting.ts";
export { Hub, type HubOptions } from "./hub.ts";
export type { Link } from "./link.ts";
export type { Presence, PresenceChange } from "./presence.ts";
export type { GapReason } from "./recovery.ts";
export type { Claim, ClaimedName, Registry } from "./registry.ts";
export {
  AHEAD_MAX_MS,
  type AppendResult,
  type ChatEntry,
  type Entry,
  type NewEntry,
  type Page,
  type ReadBounds,
  type ReadOptions,
  type RoomLog,
  RoomLogError,
  type RoomLogErrorCode,
  type SearchOptions,
  type SetEntry,
  timeAfter,
} from "./room-log.ts";
export { hasWords, QUERY_CHARACTERS_MAX, wordsIn, wordsOf } from "./search-words.ts";
export { type Batch, type Encoder, type Framing, WireFormat, type WireFormats } from "./wire-format.ts";

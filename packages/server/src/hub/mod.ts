export type { Connection } from "./connection.ts";
export type { Answer, RoomEvent } from "./events.ts";
export { Hub, type HubOptions, type Wire } from "./hub.ts";
export type { Link } from "./link.ts";
export { limitPage } from "./page-limits.ts";
export type { Bus, Hint } from "./ports/bus.ts";
export type { GuestStorage, GuestTable } from "./ports/guest-storage.ts";
export {
  type AppendResult,
  type Author,
  charactersOf,
  type Entry,
  type Follower,
  type KickEntry,
  type MessageEntry,
  type NewEntry,
  type OpenedRoom,
  type Page,
  type ReadBounds,
  type ReadOptions,
  type RoomLog,
  RoomLogError,
  type RoomLogErrorCode,
  type SetEntry,
} from "./ports/room-log.ts";
export {
  type Found,
  hasWords,
  type QueryWord,
  queryWords,
  type RoomSearch,
  type SearchOptions,
  wordsIn,
} from "./ports/room-search.ts";
export {
  type Claim,
  type ClaimedName,
  type HeldSession,
  type Holder,
  type MemberPage,
  type NewSession,
  type Roster,
  type RosterChange,
  RosterError,
  type RosterUser,
  type TakenSession,
  type Takeover,
} from "./ports/roster.ts";
export type { Users } from "./ports/users.ts";
export type { GapReason } from "./recovery.ts";
export type { Incoming } from "./request-queue.ts";
export type { Batch, Encoder, FormatChange, Framing, Recipient, Texts } from "./wire-format.ts";

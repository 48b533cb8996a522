export { MemoryRoomLog } from "./room-log.ts";
export { MemoryRoster } from "./roster.ts";
export { type RosterLimits, RosterStore } from "./roster-store.ts";

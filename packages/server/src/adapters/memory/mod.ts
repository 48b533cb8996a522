export { MemoryBus } from "./bus.ts";
export { MemoryRoomLog } from "./room-log.ts";
export { MemoryRoomStore, type MemoryRoomStoreOptions } from "./room-store.ts";
export { MemoryRoster } from "./roster.ts";
export { type RosterLimits, RosterStore } from "./roster-store.ts";
export { MemoryUsers } from "./users.ts";

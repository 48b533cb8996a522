export { MemoryPresence } from "./presence.ts";
export { MemoryRegistry } from "./registry.ts";
export { MemoryRoomLog } from "./room-log.ts";

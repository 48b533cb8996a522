export { restoreBackup, writeBackup } from "./backup.ts";
export type { Durability } from "./database.ts";
export { SqliteGuests } from "./guests.ts";
export type { Keep } from "./retention.ts";
export { SqliteRoomLog, type SqliteRoomLogOptions } from "./room-log.ts";

import { CommandFailed } from "../terminal/mod.ts";

/** Maximum number of unread output bytes. A room cannot be paused, so a slow reader of standard output ends the command. */
export const UNREAD_BYTES_MAX: number = 16 * 1024 * 1024;

/** The error when more is unread. */
export function readTooSlowly(): CommandFailed {
  return new CommandFailed("Cannot print the room's messages: standard output is read too slowly");
}

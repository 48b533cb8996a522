import type { Position } from "../../core/mod.ts";

/**
 * What is stored about users, by their id. So far their read positions.
 *
 * A guest's positions end with the guest: the hub calls `forget`.
 */
export interface Users {
  /** How far the user has read the room. */
  readPosition(user: string, room: string): Promise<Position | undefined>;
  /** Stores how far the user has read. Within one epoch it never moves back. Returns the stored position. */
  markRead(user: string, room: string, position: Position): Promise<Position>;
  /** Removes everything about a user. */
  forget(user: string): Promise<void>;
  close(): Promise<void>;
}

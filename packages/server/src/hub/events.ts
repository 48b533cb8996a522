import type { ChatLimits, Goodbye, Position, Refusal } from "../core/mod.ts";
import type { Entry } from "./ports/room-log.ts";
import type { GapReason } from "./recovery.ts";
import type { User } from "./user.ts";

/**
 * An event for a room's members, in the room's order. The author of an entry (`origin`) gets an ack in its place. The
 * connections of `user` are not told of its presence and typing; it is undefined if it has none to this node.
 */
export type RoomEvent =
  | { readonly type: "entry"; readonly entry: Entry; readonly origin: unknown }
  | {
      readonly type: "presence";
      readonly name: string;
      readonly state: "joined" | "left";
      readonly user: User | undefined;
    }
  | { readonly type: "typing"; readonly name: string; readonly user: User | undefined }
  /** Entries were lost here: a member that wants them joins again, with its last position. */
  | { readonly type: "resync" };

/**
 * A message to one client: the answer to a request, or about its connection. Rooms and names are in their displayed
 * form.
 */
export type Answer =
  | Refusal
  | { readonly type: "welcome" }
  | {
      readonly type: "hello";
      readonly id: string | undefined;
      readonly session: string;
      readonly username: string | undefined;
      readonly rooms: readonly string[];
      readonly limits: ChatLimits;
    }
  | {
      readonly type: "joined";
      readonly id: string | undefined;
      readonly room: string;
      readonly username: string;
      readonly position: Position;
      readonly members: readonly string[];
      readonly count: number;
      readonly entries: readonly Entry[];
      readonly more: boolean;
      readonly recovered: boolean | undefined;
      readonly reason?: GapReason | undefined;
      readonly topic?: string | undefined;
      /** The user's read position, and the number of unread messages. */
      readonly read?: number | undefined;
      readonly unread?: number | undefined;
    }
  | {
      readonly type: "ack";
      readonly id: string | undefined;
      readonly room: string;
      readonly seq?: number;
      readonly at?: number;
      readonly duplicate?: true;
    }
  | {
      readonly type: "who";
      readonly id: string | undefined;
      readonly room: string;
      readonly members: readonly string[];
      readonly count: number;
    }
  | {
      readonly type: "users";
      readonly id: string | undefined;
      readonly room: string;
      readonly users: readonly string[];
      readonly more: boolean;
    }
  | {
      readonly type: "rooms";
      readonly id: string | undefined;
      readonly rooms: readonly {
        readonly room: string;
        readonly count: number;
        /** Only for rooms that the client joined; see `joined`. */
        readonly unread?: number | undefined;
      }[];
    }
  | {
      readonly type: "history" | "search";
      readonly id: string | undefined;
      readonly room: string;
      readonly entries: readonly Entry[];
      readonly more: boolean;
    }
  | { readonly type: "topic"; readonly id: string | undefined; readonly room: string; readonly topic: string }
  /** Another session of the same user has read the room up to this `seq`. */
  | { readonly type: "read"; readonly room: string; readonly seq: number }
  | { readonly type: "pong"; readonly id: string | undefined }
  /** The client has another wire format from here on. */
  | { readonly type: "format"; readonly id: string | undefined; readonly capabilities: readonly string[] }
  | { readonly type: "ping" }
  /** A user was taken out of a room. */
  | {
      readonly type: "kicked";
      readonly room: string;
      /** Who did it. */
      readonly username: string;
      readonly reason: string;
    }
  | ({ readonly type: "bye" } & Goodbye);

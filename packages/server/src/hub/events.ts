import type { ChatLimits, Goodbye, Position, Refusal } from "../core/mod.ts";
import type { GapReason } from "./recovery.ts";
import type { Entry } from "./room-log.ts";
import type { EntryText } from "./wire-format.ts";

/** What a room's members are told, in the room's order. Its own author is told something else, or nothing. */
export type RoomEvent =
  | { readonly type: "entry"; readonly entry: Entry; readonly origin: unknown }
  | {
      readonly type: "presence";
      readonly name: string;
      readonly state: "joined" | "left";
      readonly origin: unknown;
    }
  | { readonly type: "typing"; readonly name: string; readonly origin: unknown };

/** What one client is told, in answer to a request or about its connection. Rooms and names are as shown. */
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
      readonly entries: readonly EntryText[];
      readonly more: boolean;
      readonly recovered: boolean | undefined;
      readonly reason?: GapReason | undefined;
      readonly topic?: string | undefined;
      /** How far the person has read, and how many messages there are since. */
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
      readonly type: "rooms";
      readonly id: string | undefined;
      readonly rooms: readonly {
        readonly room: string;
        readonly count: number;
        /** In a room of the client's: as in `joined`. */
        readonly unread?: number | undefined;
      }[];
    }
  | {
      readonly type: "history" | "search";
      readonly id: string | undefined;
      readonly room: string;
      readonly entries: readonly EntryText[];
      readonly more: boolean;
    }
  | { readonly type: "topic"; readonly id: string | undefined; readonly room: string; readonly topic: string }
  | { readonly type: "pong"; readonly id: string | undefined }
  | { readonly type: "ping" }
  | ({ readonly type: "bye" } & Goodbye);

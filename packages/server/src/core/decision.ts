import type { Position } from "@landline/protocol";
import type { Name } from "./names.ts";
import type { Refusal } from "./refusal.ts";

/** The result of the rules for one command. The hub carries it out. */
export type Decision =
  | Refusal
  | {
      readonly type: "greet";
      /** The name to claim. */
      readonly name: Name | undefined;
      /** The session to take over, or to share. */
      readonly session: string | undefined;
      /** Whether to share the session: its connection stays, and this one gets the same user. */
      readonly share: boolean;
      /** The number of this client's attempt to take over the session. Infinity if the client sent none. */
      readonly attempt: number;
    }
  | {
      readonly type: "join";
      readonly room: Name;
      /** The client's name from here on. */
      readonly name: Name;
      /** The rooms to leave first. */
      readonly leave: readonly Name[];
      readonly after: Position | undefined;
      /** How many entries to return. 0 for none. */
      readonly history: number;
    }
  | {
      readonly type: "append";
      readonly room: Name;
      readonly message: string;
      readonly isJson?: true;
    }
  | { readonly type: "set"; readonly room: Name; readonly key: string; readonly value: string }
  | { readonly type: "leave"; readonly room: Name }
  | { readonly type: "who"; readonly room: Name }
  | { readonly type: "users"; readonly room: Name; readonly prefix: string; readonly limit: number }
  | { readonly type: "rooms" }
  | {
      readonly type: "history";
      readonly room: Name;
      readonly before: number | undefined;
      readonly after: number | undefined;
      readonly limit: number;
    }
  | {
      readonly type: "search";
      readonly room: Name;
      readonly query: string;
      readonly before: number | undefined;
      readonly limit: number;
    }
  | { readonly type: "topic"; readonly room: Name; readonly topic: string }
  | { readonly type: "typing"; readonly room: Name }
  | { readonly type: "read"; readonly room: Name; readonly seq: number }
  /** The session ends for good, and the connection with it. */
  | { readonly type: "bye" }
  | { readonly type: "pong" }
  | { readonly type: "nothing" };

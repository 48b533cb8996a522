/** A position in a room's log. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** A client's request, independent of its dialect. The answer carries the same `id`. */
export type Command =
  | {
      readonly type: "hello";
      readonly id?: string;
      readonly version: number;
      readonly username?: string;
      readonly session?: string;
      readonly share?: boolean;
      readonly attempt?: number;
    }
  | {
      readonly type: "join";
      readonly id?: string;
      readonly room: string;
      readonly username?: string;
      readonly after?: Position;
      readonly history?: number;
    }
  | {
      readonly type: "chat";
      readonly id?: string;
      readonly room?: string;
      readonly message: string;
      /** `message` is the JSON text of a value that is not a string. */
      readonly isJson?: true;
    }
  | { readonly type: "leave"; readonly id?: string; readonly room?: string }
  | { readonly type: "who"; readonly id?: string; readonly room: string }
  | { readonly type: "rooms"; readonly id?: string }
  | {
      readonly type: "history";
      readonly id?: string;
      readonly room: string;
      readonly before?: number;
      readonly after?: number;
      readonly limit?: number;
    }
  | {
      readonly type: "search";
      readonly id?: string;
      readonly room: string;
      readonly query: string;
      readonly before?: number;
      readonly limit?: number;
    }
  | { readonly type: "topic"; readonly id?: string; readonly room: string; readonly topic?: string }
  | { readonly type: "typing"; readonly id?: string; readonly room: string }
  | { readonly type: "read"; readonly id?: string; readonly room: string; readonly seq: number }
  | { readonly type: "ping"; readonly id?: string }
  | { readonly type: "pong"; readonly id?: string };

export type CommandOf<Type extends Command["type"]> = Extract<Command, { type: Type }>;

import type { RosterUser } from "./roster.ts";

/** A hint for the other nodes. Losing one never breaks a promise. */
export type Hint =
  | { readonly type: "typing"; readonly room: string; readonly user: RosterUser }
  /** A user has read a room up to this `seq` of this epoch. For the user's other sessions. */
  | {
      readonly type: "read";
      readonly room: string;
      readonly user: string;
      readonly epoch: string;
      readonly seq: number;
    };

/** Carries hints between nodes, at most once each, in any order. */
export interface Bus {
  /** Sends a hint to the other nodes. */
  publish(hint: Hint): void;
  /** Sets the one listener of this node. It does not get this node's own hints. */
  follow(listener: (hint: Hint) => void): void;
  close(): Promise<void>;
}

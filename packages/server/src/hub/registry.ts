/** A name as the registry compares it. */
export interface ClaimedName {
  readonly key: string;
  /** The same for names that look alike. */
  readonly skeleton: string;
}

/** What became of a claim: the owner has the name; or another owner has it, or one that looks like it. */
export type Claim = "claimed" | "in-use" | "look-alike";

/**
 * Who has which name, over all servers. Of several owners no two have one key, nor one skeleton unless all the keys that
 * share it are ASCII: `rn` and `m`, `0` and `O` are told apart.
 */
export interface Registry {
  /** Takes a name for an owner, which may have others. */
  claim(name: ClaimedName, owner: string): Promise<Claim>;
  /** Gives a name back, by its key; nothing happens if somebody else has it. */
  release(key: string, owner: string): Promise<void>;
  close(): Promise<void>;
}

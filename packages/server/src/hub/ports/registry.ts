/** A name in the forms that the registry compares. */
export interface ClaimedName {
  readonly key: string;
  /** Equal for names that look alike. */
  readonly skeleton: string;
}

/** The result of a claim: the owner has the name, or another owner has it or a look-alike. */
export type Claim = "claimed" | "in-use" | "look-alike";

/**
 * Owners of names, across all servers. No two owners have the same key. No two have the same skeleton, unless all
 * keys with that skeleton are ASCII: `rn` and `m`, or `0` and `O`, count as distinct.
 */
export interface Registry {
  /** Claims a name for an owner. An owner may have several names. */
  claim(name: ClaimedName, owner: string): Promise<Claim>;
  /** Releases a name by its key. Does nothing if another owner has it. */
  release(key: string, owner: string): Promise<void>;
  close(): Promise<void>;
}

/** Who has which name, over all servers. */
export interface Registry {
  /** Takes a name, given by its key, for an owner; false if another owner has it. */
  claim(name: string, owner: string): Promise<boolean>;
  /** Gives it back; nothing happens if somebody else has it. */
  release(name: string, owner: string): Promise<void>;
  close(): Promise<void>;
}

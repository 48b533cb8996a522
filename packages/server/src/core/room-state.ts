/** A room's state: the last value of each key that its log has set. Never modified: each change makes another one. */
export type RoomState = ReadonlyMap<string, string>;

/** Returns the state after a change. An empty value removes its key. */
export function foldState(state: RoomState, changes: RoomState): RoomState {
  const folded = new Map(state);
  for (const [key, value] of changes) {
    if (value === "") folded.delete(key);
    else folded.set(key, value);
  }
  return folded;
}

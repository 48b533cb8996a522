/**
 * A room log between a hub and its real log that loses, delays and doubts what a log far away could.
 *
 * @module
 */
import type {
  AppendResult,
  Entry,
  Follower,
  NewEntry,
  OpenedRoom,
  Page,
  ReadOptions,
  RoomLog,
} from "../packages/server/src/hub/mod.ts";

/** What happens to an entry on its way to the follower: it arrives, never arrives, or waits for `deliver`. */
export type Fate = "arrives" | "lost" | "late";

export class FaultyLog implements RoomLog {
  readonly #log: RoomLog;
  #follower: Follower | undefined;
  readonly #late: Entry[] = [];
  /** Decides the fate of each entry. */
  fateOf: (entry: Entry) => Fate = () => "arrives";
  /** Which entries get the result `unknown`, and whether they are stored. */
  doubts: ((entry: NewEntry) => "stored" | "not-stored" | undefined) | undefined;
  /** Called in place of the log's `open`. */
  opens: ((room: string, open: () => Promise<OpenedRoom>) => Promise<OpenedRoom>) | undefined;
  /** Called before each append. */
  beforeAppend: ((entries: readonly NewEntry[]) => Promise<void>) | undefined;
  readonly calls: string[] = [];

  constructor(log: RoomLog) {
    this.#log = log;
  }

  /** Delivers the entries that were late. */
  deliver(): void {
    const late = this.#late.splice(0);
    if (late.length > 0) this.#follower?.entries(late);
  }

  /** Delivers an entry once more. */
  again(entry: Entry): void {
    this.#follower?.entries([entry]);
  }

  /** Tells the follower that entries of the room are missing. */
  lose(room: string, reason = "a test"): void {
    this.#follower?.lost(room, reason);
  }

  open(room: string): Promise<OpenedRoom> {
    this.calls.push(`open ${room}`);
    const open = () => this.#log.open(room);
    return this.opens === undefined ? open() : this.opens(room, open);
  }

  release(room: string): Promise<void> {
    this.calls.push(`release ${room}`);
    return this.#log.release(room);
  }

  async append(entries: readonly NewEntry[]): Promise<readonly AppendResult[]> {
    await this.beforeAppend?.(entries);
    const { doubts } = this;
    const kept = entries.filter((entry) => doubts?.(entry) !== "not-stored");
    const results = [...(await this.#log.append(kept))];
    return entries.map((entry): AppendResult => {
      const result = kept.includes(entry) ? results.shift() : undefined;
      return result === undefined || doubts?.(entry) === "stored" ? { type: "unknown" } : result;
    });
  }

  read(room: string, options: ReadOptions): Promise<Page> {
    return this.#log.read(room, options);
  }

  follow(follower: Follower): void {
    this.#follower = follower;
    this.#log.follow({
      entries: (entries) => {
        const fates = entries.map((entry) => this.fateOf(entry));
        this.#late.push(...entries.filter((_, i) => fates[i] === "late"));
        const arriving = entries.filter((_, i) => fates[i] === "arrives");
        if (arriving.length > 0) follower.entries(arriving);
      },
      lost: (room, reason) => follower.lost(room, reason),
    });
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}

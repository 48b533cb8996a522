import {
  type AppendResult,
  type Entry,
  type Follower,
  type NewEntry,
  type OpenedRoom,
  type Page,
  type ReadOptions,
  type RoomLog,
  RoomLogError,
} from "../../packages/server/src/hub/mod.ts";
import type { Process, Scheduler } from "./scheduler.ts";

/** What becomes of an append. `late` ones are stored after their result. */
type Fate = "stored" | "stored, unknown" | "lost, unknown" | "late, unknown" | "failed";

const FATES: readonly Fate[] = ["stored", "stored, unknown", "lost, unknown", "late, unknown", "failed"];

/** Entries that a follower loses: none, one with a call of `lost`, or one without. */
type Loss = "none" | "told" | "silent";

/**
 * A room log over an unreliable network. Results and entries arrive late, in any order that the port allows. Appends may
 * fail or have an unknown result, and the follower may lose entries.
 */
export class FaultyRoomLog implements RoomLog {
  readonly #inner: RoomLog;
  readonly #process: Process;
  readonly #scheduler: Scheduler;
  readonly #onAppend: (entries: readonly NewEntry[]) => void;
  #follower: Follower | undefined;
  /** The entries on their way to the follower, by room. */
  readonly #coming = new Map<string, Entry[]>();
  /** The `seq` of the last entry that was lost without a call of `lost`, by room. */
  readonly #lost = new Map<string, number>();
  /** The delivered entries; see {@link entryKey}. */
  readonly #delivered = new Set<string>();

  constructor(
    inner: RoomLog,
    process: Process,
    scheduler: Scheduler,
    onAppend: (entries: readonly NewEntry[]) => void,
  ) {
    this.#inner = inner;
    this.#process = process;
    this.#scheduler = scheduler;
    this.#onAppend = onAppend;
    inner.follow({
      entries: (entries) => this.#come(entries),
      lost: (room, reason) => this.#tell(room, reason),
    });
  }

  open(room: string): Promise<OpenedRoom> {
    return this.#call([`open ${room}`], async () => {
      const opened = await this.#inner.open(room);
      return () => {
        const { seq } = opened.position;
        // From here on, only later entries may arrive.
        this.#coming.set(
          room,
          (this.#coming.get(room) ?? []).filter((entry) => entry.seq > seq),
        );
        if ((this.#lost.get(room) ?? 0) <= seq) this.#lost.delete(room);
        return opened;
      };
    });
  }

  release(room: string): Promise<void> {
    return this.#call([`open ${room}`], async () => {
      await this.#inner.release(room);
      return () => undefined;
    });
  }

  append(entries: readonly NewEntry[]): Promise<readonly AppendResult[]> {
    this.#onAppend(entries);
    return this.#call(["append"], async (fault) => {
      const results = await Promise.all(entries.map((entry, i) => this.#append(entry, fateOf(fault, i))));
      return () => results.map((result) => result());
    });
  }

  read(room: string, options: ReadOptions): Promise<Page> {
    return this.#query(() => this.#inner.read(room, options));
  }

  follow(follower: Follower): void {
    this.#follower = follower;
  }

  close(options?: { readonly signal?: AbortSignal }): Promise<void> {
    return this.#inner.close(options);
  }

  /** The adapter finds out which entries were lost. */
  findLosses(): void {
    for (const room of this.#lost.keys()) this.#tell(room, "entries were lost");
    this.#lost.clear();
  }

  /** Calls with an effect on the store, and later with a result. Effects in one lane keep their order. */
  #call<T>(lanes: readonly string[], effect: (fault: number) => Promise<() => T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    const of = this.#process;
    const run = (fault: number) =>
      void effect(fault).then((result) => this.#scheduler.add({ of, run: () => resolve(result()) }));
    this.#scheduler.add({ of, behind: lanes, run });
    return promise;
  }

  #query<T>(query: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#scheduler.add({ of: this.#process, run: () => void query().then(resolve, reject) });
    return promise;
  }

  /** Returns a function that returns the result as of the moment of its arrival. */
  async #append(entry: NewEntry, fate: Fate): Promise<() => AppendResult> {
    const store = async () => (await this.#inner.append([entry]))[0] as AppendResult;
    switch (fate) {
      case "stored":
      case "stored, unknown": {
        const result = await store();
        if (fate === "stored") return () => result;
        return () => (this.#isDelivered(entry) ? result : { type: "unknown" });
      }
      case "late, unknown": {
        let result: AppendResult = { type: "unknown" };
        const run = () => void store().then((late) => (result = late));
        this.#scheduler.add({ of: this.#process, behind: ["append"], run });
        return () => (this.#isDelivered(entry) ? result : { type: "unknown" });
      }
      case "lost, unknown":
        return () => ({ type: "unknown" });
      case "failed": {
        const error = new RoomLogError("io", "The log cannot be written");
        return () => ({ type: "failed", error });
      }
    }
  }

  #isDelivered(entry: NewEntry): boolean {
    return this.#delivered.has(entryKey(entry));
  }

  #come(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const { room } = entry;
      const coming = this.#coming.get(room);
      if (coming === undefined) this.#coming.set(room, [entry]);
      else coming.push(entry);
      this.#scheduler.add({ of: this.#process, behind: [`follow ${room}`], run: (fault) => this.#arrive(room, fault) });
    }
  }

  /** Some of the next entries of a room arrive at once. */
  #arrive(room: string, fault: number): void {
    const entries = (this.#coming.get(room) ?? []).splice(0, 1 + (fault % 3));
    if (entries.length === 0) return;
    const loss: Loss = lossOf(fault);
    const arriving = loss === "none" ? entries : entries.slice(1);
    for (const entry of arriving) this.#delivered.add(entryKey(entry));
    if (loss !== "none") this.#lost.set(room, (entries[0] as Entry).seq);
    if (arriving.length > 0) this.#follower?.entries(arriving);
    if (loss === "told") this.#tell(room, "an entry was lost");
  }

  #tell(room: string, reason: string): void {
    const run = () => {
      this.#lost.delete(room);
      this.#follower?.lost(room, reason);
    };
    this.#scheduler.add({ of: this.#process, behind: [`follow ${room}`], run });
  }
}

function fateOf(fault: number, index: number): Fate {
  return FATES[((fault >> 4) + index * (fault % 2)) % 12] ?? "stored";
}

function lossOf(fault: number): Loss {
  if (fault % 4 !== 3) return "none";
  return fault % 8 === 3 ? "told" : "silent";
}

/** The same for an entry before and after its append. */
function entryKey({ room, id, origin }: NewEntry): string {
  return JSON.stringify([room, id, origin]);
}

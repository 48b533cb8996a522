import type { Name } from "../core/mod.ts";
import type { RoomLog } from "./ports/room-log.ts";
import { Room } from "./room.ts";

interface OpenRoom {
  readonly room: Room;
  readonly opened: Promise<void>;
  /** Members and joins under way. */
  uses: number;
}

/** The rooms with members on this server. The log follows each from its first use to its last. */
export class Rooms {
  readonly #log: RoomLog;
  readonly #report: (error: unknown) => void;
  readonly #open = new Map<string, OpenRoom>();

  constructor(log: RoomLog, report: (error: unknown) => void) {
    this.#log = log;
    this.#report = report;
  }

  get(key: string): Room | undefined {
    return this.#open.get(key)?.room;
  }

  /** Opens the room or counts one more use. Pair it with {@link release}. */
  async use(name: Name): Promise<Room> {
    let open = this.#open.get(name.key);
    if (open === undefined) {
      const room = new Room(name, { epoch: "", seq: 0 });
      open = { room, opened: this.#follow(room), uses: 0 };
      this.#open.set(name.key, open);
    }
    open.uses += 1;
    try {
      await open.opened;
    } catch (error) {
      this.release(open.room);
      throw error;
    }
    return open.room;
  }

  /** Ends one use. After the last, the room is closed. */
  release(room: Room): void {
    const { key } = room.name;
    const open = this.#open.get(key);
    if (open === undefined) return;
    open.uses -= 1;
    if (open.uses > 0) return;
    this.#open.delete(key);
    void this.#log.release(key).catch(this.#report);
  }

  async #follow(room: Room): Promise<void> {
    const position = await this.#log.open(room.name.key);
    // Entries may have arrived before `open` resolved.
    if (room.position.epoch !== position.epoch || position.seq > room.position.seq) room.position = position;
    for (const [key, value] of await this.#log.state(room.name.key)) {
      if (!room.state.has(key)) room.state.set(key, value);
    }
  }
}

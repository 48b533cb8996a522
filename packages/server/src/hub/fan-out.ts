import type { Connection } from "./connection.ts";
import type { RoomEvent } from "./events.ts";
import type { Member, Room } from "./room.ts";
import type { WireFormat } from "./wire-format.ts";

/**
 * Writes per turn of the event loop. Between two slices the loop reads new input, which joins the pending batches. So
 * batches grow under load only, without a timer.
 */
const WRITES_PER_SLICE = 64;

/** Most pending events of one room. Past this, the room is flushed at once, which bounds its batch. */
const PENDING_MAX = 1_024;

/**
 * Smallest room that waits for the commit under way, once. Writing to that many members costs more than the wait.
 * Without it, one burst would be split into several rounds of writes.
 */
const WAITING_SIZE_MIN = 256;

/** Longest wait for a commit, in milliseconds: a hanging disk must not delay entries that are already committed. */
const WAITING_MS = 20;

/** For each author, the indexes of its own events in the batch. */
type OwnEvents = Map<Connection, number[]>;

/**
 * Sends rooms their events. It encodes the events since the room's last flush once per wire format, and each member
 * gets the shared bytes in one write.
 */
export class FanOut {
  #dirty: Room[] = [];
  #isScheduled = false;
  #commitsUnderWay = 0;
  #commitsEnded = 0;
  #waiting: NodeJS.Timeout | undefined;

  commitBegan(): void {
    this.#commitsUnderWay += 1;
  }

  commitEnded(): void {
    this.#commitsUnderWay -= 1;
    this.#endWaiting();
  }

  #endWaiting(): void {
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
    this.#commitsEnded += 1;
    if (this.#dirty.length > 0) this.#schedule();
  }

  add(room: Room, event: RoomEvent): void {
    room.pending.push(event);
    if (room.pending.length >= PENDING_MAX) this.flush(room);
    if (room.pending.length !== 1) return;
    this.#dirty.push(room);
    this.#schedule();
  }

  /** Sends the room's first `count` pending events now. Returns the number of writes. */
  flush(room: Room, count: number = room.pending.length): number {
    if (count === 0) return 0;
    const events = count === room.pending.length ? room.pending : room.pending.slice(0, count);
    room.pending = count === room.pending.length ? [] : room.pending.slice(count);
    room.waitsSince = undefined;
    const own = ownEvents(events);
    let writes = 0;
    for (const [format, members] of room.groups) {
      if (members.length === 0) continue;
      const batch = format.batch(events, room.name.text);
      if (batch.bytes.length === 0) continue;
      // Backwards: a write can remove a slow member from the array.
      for (let i = members.length - 1; i >= 0; i -= 1) {
        const { connection, outbox } = members[i] as Member;
        const indexes = own?.get(connection);
        if (indexes === undefined) outbox.send(batch.bytes);
        else sendAround(connection, indexes, batch.bytes, batch.ends, events, room, format);
      }
      writes += members.length;
    }
    if (own !== undefined) for (const [connection, indexes] of own) noteAcks(connection, indexes, events);
    return writes;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#slice());
  }

  #slice(): void {
    this.#isScheduled = false;
    const dirty = this.#dirty;
    this.#dirty = [];
    let writes = 0;
    let isDone = true;
    for (const room of dirty) {
      isDone = writes < WRITES_PER_SLICE;
      if (!isDone || this.#waits(room)) this.#dirty.push(room);
      else writes += this.flush(room);
    }
    if (!isDone) this.#schedule();
  }

  /** Whether the room waits. It is checked again when a commit ends, or after `WAITING_MS`. */
  #waits(room: Room): boolean {
    const hasWaited = room.waitsSince !== undefined && room.waitsSince < this.#commitsEnded;
    if (this.#commitsUnderWay === 0 || hasWaited || room.size < WAITING_SIZE_MIN) return false;
    room.waitsSince ??= this.#commitsEnded;
    this.#waiting ??= setTimeout(() => this.#endWaiting(), WAITING_MS);
    return true;
  }
}

function ownEvents(events: readonly RoomEvent[]): OwnEvents | undefined {
  let own: OwnEvents | undefined;
  for (let i = 0; i < events.length; i += 1) {
    const event = events[i] as RoomEvent;
    if (event.type === "entry") {
      if (event.origin === undefined) continue;
      own ??= new Map();
      note(own, event.origin as Connection, i);
    } else if (event.type !== "resync" && event.user !== undefined) {
      // A user's other connections get its messages, but none of its connections get its presence and typing.
      own ??= new Map();
      for (const connection of event.user.connections) note(own, connection, i);
    }
  }
  return own;
}

function note(own: OwnEvents, connection: Connection, index: number): void {
  const indexes = own.get(connection);
  if (indexes === undefined) own.set(connection, [index]);
  else indexes.push(index);
}

/** Sends a member the shared bytes except its own events, and in their places what the author gets. */
function sendAround(
  connection: Connection,
  indexes: readonly number[],
  bytes: Uint8Array,
  ends: readonly number[],
  events: readonly RoomEvent[],
  room: Room,
  format: WireFormat,
): void {
  let from = 0;
  for (const index of indexes) {
    const start = index === 0 ? 0 : (ends[index - 1] as number);
    if (start > from) connection.outbox.send(piece(bytes, from, start));
    const own = format.own(events[index] as RoomEvent, room.name.text, connection);
    if (own !== undefined) connection.outbox.send(own);
    from = ends[index] as number;
  }
  if (from < bytes.length) connection.outbox.send(piece(bytes, from, bytes.length));
}

/** Returns a part of the batch. A short part of a long batch is copied: a view would keep the whole batch in memory. */
function piece(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return bytes.length > 8 * (to - from) ? Uint8Array.prototype.slice.call(bytes, from, to) : bytes.subarray(from, to);
}

/** Notes that the acks of the client's own entries have left. */
function noteAcks(connection: Connection, indexes: readonly number[], events: readonly RoomEvent[]): void {
  for (let i = indexes.length - 1; i >= 0; i -= 1) {
    const event = events[indexes[i] as number] as RoomEvent;
    if (event.type !== "entry") continue;
    connection.requests.acked(event.entry.room, event.entry.seq);
    return;
  }
}

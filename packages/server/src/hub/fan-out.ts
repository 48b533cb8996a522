import type { Client } from "./client.ts";
import type { RoomEvent } from "./events.ts";
import type { Member, Room } from "./room.ts";
import type { WireFormat } from "./wire-format.ts";

/**
 * Member writes in one turn of the event loop. Between two slices the loop reads what has arrived, and that joins the
 * rooms that still wait: batches grow exactly when there is work, without a timer.
 */
const WRITES_PER_SLICE = 64;

/** Events of one room that wait; above, its members are told at once, so that no batch grows without end. */
const PENDING_MAX = 1_024;

/**
 * A room with so many members waits for a commit that is under way, once: a turn of it costs more than that. Otherwise
 * what is said falls apart into several rounds, one of which is told while another is committed.
 */
const WAITING_SIZE_MIN = 256;

/** And no longer than this, in milliseconds: a disk that hangs must not keep back what it has stored already. */
const WAITING_MS = 20;

/** What one member gets for its own events, beside the others' bytes. */
type OwnEvents = Map<Client, number[]>;

/**
 * Tells rooms what happened in them: the events of a room since its last turn are encoded once per wire format, and
 * each member gets the shared bytes in one write.
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

  /** Tells the room's members all that is pending, now, or this much of it. */
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
      // From the end, as a member that cannot keep up is taken out on the way.
      for (let i = members.length - 1; i >= 0; i -= 1) {
        const { client, outbox } = members[i] as Member;
        const indexes = own?.get(client);
        if (indexes === undefined) outbox.send(batch.bytes);
        else sendAround(client, indexes, batch.bytes, batch.ends, events, room, format);
      }
      writes += members.length;
    }
    if (own !== undefined) for (const [client, indexes] of own) settle(client, indexes, events);
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

  /** A room that waits is looked at again when a commit has ended, or when it has waited long enough. */
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
    const { type, origin } = events[i] as RoomEvent;
    if (origin === undefined) continue;
    own ??= new Map();
    note(own, origin as Client, i);
    if (type === "entry") continue;
    // That somebody is there, or is writing, is no news to any connection of theirs; what they said is.
    for (const client of (origin as Client).person?.connections ?? []) if (client !== origin) note(own, client, i);
  }
  return own;
}

function note(own: OwnEvents, client: Client, index: number): void {
  const indexes = own.get(client);
  if (indexes === undefined) own.set(client, [index]);
  else indexes.push(index);
}

/** Sends a member the shared bytes without its own events, and what it is told of those in their places. */
function sendAround(
  client: Client,
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
    if (start > from) client.outbox.send(piece(bytes, from, start));
    const own = format.own(events[index] as RoomEvent, room.name.text);
    if (own !== undefined) client.outbox.send(own);
    from = ends[index] as number;
  }
  if (from < bytes.length) client.outbox.send(piece(bytes, from, bytes.length));
}

/** A stretch of a batch; a short one of a long batch is copied, as it would keep all of it alive while it waits. */
function piece(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return bytes.length > 8 * (to - from) ? Uint8Array.prototype.slice.call(bytes, from, to) : bytes.subarray(from, to);
}

/** The client's own messages have passed; commands that waited for that can go on. */
function settle(client: Client, indexes: readonly number[], events: readonly RoomEvent[]): void {
  let passed = 0;
  for (const index of indexes) if ((events[index] as RoomEvent).type === "entry") passed += 1;
  if (passed > 0) client.passed(passed);
}

import type { ChatLimits, Decision, Name, Position } from "../core/mod.ts";
import type { Client } from "./client.ts";
import type { Answer } from "./events.ts";
import type { Person } from "./person.ts";
import type { Presence } from "./presence.ts";
import { ReadPositions } from "./read-positions.ts";
import { missedEntries } from "./recovery.ts";
import type { Room } from "./room.ts";
import type { Page, RoomLog } from "./room-log.ts";
import type { Rooms } from "./rooms.ts";

/** What a reader works with. */
export interface RoomReaderOptions {
  readonly log: RoomLog;
  readonly presence: Presence;
  readonly rooms: Rooms;
  readonly limits: ChatLimits;
  /** Whether the client may ask for one thing more now; counts it. */
  readonly mayAsk: (client: Client) => boolean;
}

type AnswerOf<Type extends Answer["type"]> = Extract<Answer, { type: Type }>;
type DecisionOf<Type extends Decision["type"]> = Extract<Decision, { type: Type }>;

/** Answers what clients ask of rooms: who is there, what was said, how much of it they have not read. */
export class RoomReader {
  readonly #log: RoomLog;
  readonly #presence: Presence;
  readonly #rooms: Rooms;
  readonly #limits: ChatLimits;
  readonly #mayAsk: (client: Client) => boolean;
  readonly #readPositions = new ReadPositions();

  constructor({ log, presence, rooms, limits, mayAsk }: RoomReaderOptions) {
    this.#log = log;
    this.#presence = presence;
    this.#rooms = rooms;
    this.#limits = limits;
    this.#mayAsk = mayAsk;
  }

  /** The encoded answer to a join, whose place in the outbox is held; the room was at this position. */
  async joined(
    client: Client,
    id: string | undefined,
    room: Room,
    position: Position,
    { person, after, history }: DecisionOf<"join">,
  ): Promise<Uint8Array | undefined> {
    const { names, count } = await this.#presence.members(room.name.key, this.#limits.membersMax);
    const missed = await missedEntries(this.#log, room.name.key, position, after, history);
    const read = this.#readPositions.get(person.key, room.name.key, position.epoch);
    const unread = read === undefined ? undefined : await this.#countUnread(person, room, position, read);
    return this.#encodePage(client, missed, "newest", (page, isCut) => ({
      type: "joined",
      id,
      room: room.name.text,
      username: person.text,
      position: { epoch: position.epoch, seq: position.seq },
      members: names,
      count,
      ...page,
      recovered: isCut && missed.recovered ? false : missed.recovered,
      reason: isCut && missed.recovered ? "too-many" : missed.reason,
      topic: room.state.get("topic") || undefined,
      read,
      unread,
    }));
  }

  async who(client: Client, id: string | undefined, name: Name): Promise<void> {
    const { names, count } = await this.#presence.members(name.key, this.#limits.membersMax);
    client.answer({ type: "who", id, room: this.#rooms.get(name.key)?.name.text ?? name.text, members: names, count });
  }

  async list(client: Client, id: string | undefined): Promise<void> {
    const rooms: AnswerOf<"rooms">["rooms"][number][] = [];
    for (const { room: key, count } of await this.#presence.rooms(this.#limits.roomListMax)) {
      const room = this.#rooms.get(key);
      const unread = room?.has(client) ? await this.#unread(client, room) : undefined;
      rooms.push({ room: room?.name.text ?? key, count, unread });
    }
    client.answer({ type: "rooms", id, rooms });
  }

  topic(client: Client, id: string | undefined, name: Name): void {
    const topic = this.#rooms.get(name.key)?.state.get("topic") ?? "";
    client.answer({ type: "topic", id, room: name.text, topic });
  }

  async history(client: Client, id: string | undefined, decision: DecisionOf<"history">): Promise<void> {
    const { room, before, after, limit } = decision;
    const page = await this.#log.read(room.key, { before, after, limit });
    const keep = after === undefined ? "newest" : "oldest";
    const answer = { type: "history", id, room: room.text } as const;
    const bytes = this.#encodePage(client, page, keep, (cut) => ({ ...answer, ...cut }));
    if (bytes !== undefined) client.outbox.send(bytes);
  }

  async search(client: Client, id: string | undefined, decision: DecisionOf<"search">): Promise<void> {
    const { room, query, before, limit } = decision;
    const page = await this.#log.search(room.key, query, { before, limit });
    const answer = { type: "search", id, room: room.text } as const;
    const bytes = this.#encodePage(client, page, "newest", (cut) => ({ ...answer, ...cut }));
    if (bytes !== undefined) client.outbox.send(bytes);
  }

  /** Remembers how far the person has read. */
  markRead(client: Client, id: string | undefined, { room: name, person, seq }: DecisionOf<"read">): void {
    const position = this.#rooms.get(name.key)?.position;
    if (position !== undefined) {
      const { epoch } = position;
      this.#readPositions.set(person.key, name.key, { epoch, seq: Math.min(seq, position.seq) });
    }
    client.answer({ type: "ack", id, room: name.text });
  }

  /** Absent where the person has not told what it read, and where it asks too often. */
  async #unread(client: Client, room: Room): Promise<number | undefined> {
    const person = client.person as Person;
    const { position } = room;
    const read = this.#readPositions.get(person.key, room.name.key, position.epoch);
    // Counting is as much work as a `history`, and there may be many rooms.
    if (read === undefined || (read < position.seq && !this.#mayAsk(client))) return undefined;
    return this.#countUnread(person, room, position, read);
  }

  /** How much others said since; counted no further than a page goes. */
  async #countUnread(person: Name, room: Room, until: Position, after: number): Promise<number> {
    if (after >= until.seq) return 0;
    const options = { after, before: until.seq + 1, limit: this.#limits.historyMax };
    const { entries } = await this.#log.read(room.name.key, options);
    return entries.filter(({ kind, from }) => kind === "chat" && from.toLowerCase() !== person.key).length;
  }

  /** Encodes an answer with as many of the entries as half an outbox takes: nobody is let go for what it asked. */
  #encodePage(
    client: Client,
    { entries, more }: Page,
    keep: "newest" | "oldest",
    answer: (page: Page, isCut: boolean) => Answer,
  ): Uint8Array | undefined {
    let bytes = client.format.answer(answer({ entries, more }, false));
    let kept = entries;
    while (bytes !== undefined && bytes.length > this.#limits.outboxBytesMax / 2 && kept.length > 1) {
      const half = kept.length >>> 1;
      kept = keep === "newest" ? kept.slice(-half) : kept.slice(0, half);
      bytes = client.format.answer(answer({ entries: kept, more: true }, true));
    }
    return bytes;
  }
}

import { addressKey, type ChatLimits, type Decision, type Name, nameKey, type Position, refuse } from "../core/mod.ts";
import type { Connection } from "./connection.ts";
import type { Answer } from "./events.ts";
import { limitPage } from "./page-limits.ts";
import type { Entry, Page, ReadBounds, RoomLog } from "./ports/room-log.ts";
import type { RoomSearch } from "./ports/room-search.ts";
import type { MemberPage, Roster } from "./ports/roster.ts";
import type { Users } from "./ports/users.ts";
import { missedEntries } from "./recovery.ts";
import type { Room } from "./room.ts";
import type { Rooms } from "./rooms.ts";
import { Searches } from "./searches.ts";
import type { User } from "./user.ts";

/** The parts that {@link RoomReader} uses. */
export interface RoomReaderOptions {
  readonly log: RoomLog;
  readonly search: RoomSearch | undefined;
  readonly roster: Roster;
  readonly users: Users;
  readonly rooms: Rooms;
  readonly limits: ChatLimits;
  /** Counts one request against the client's rate. Returns whether it was within the limit. */
  readonly mayAsk: (connection: Connection) => boolean;
}

/** Members of a room that a `users` request looks at. */
const USERS_EXAMINED_MAX = 2_000;

type AnswerOf<Type extends Answer["type"]> = Extract<Answer, { type: Type }>;
type DecisionOf<Type extends Decision["type"]> = Extract<Decision, { type: Type }>;

/** Answers queries about rooms: members, history, search, topics and unread messages. */
export class RoomReader {
  readonly #log: RoomLog;
  readonly #searches: Searches | undefined;
  readonly #roster: Roster;
  readonly #users: Users;
  readonly #rooms: Rooms;
  readonly #limits: ChatLimits;
  readonly #mayAsk: (connection: Connection) => boolean;

  constructor({ log, search, roster, users, rooms, limits, mayAsk }: RoomReaderOptions) {
    this.#log = log;
    this.#searches = search && new Searches(search);
    this.#roster = roster;
    this.#users = users;
    this.#rooms = rooms;
    this.#limits = limits;
    this.#mayAsk = mayAsk;
  }

  /** Answers a join. The answer is a snapshot of the moment of the call; later events follow it. */
  async joined(
    connection: Connection,
    id: string | undefined,
    room: Room,
    { name, after, history }: DecisionOf<"join">,
  ): Promise<void> {
    connection.outbox.hold();
    const { position } = room;
    const topic = room.state.get("topic") || undefined;
    const [{ members, count }, missed, read] = await Promise.all([
      this.#members(connection, room.name.key),
      missedEntries(this.#log, room.name.key, position, after, this.#bounds(history)),
      this.#readUpTo(connection, room, position),
    ]);
    const unread = read === undefined ? undefined : await this.#countUnread(name, room, position, read);
    const answer = this.#encodePage(connection, room.name, missed, "newest", (page) => {
      const isCut = missed.recovered && page.entries.length < missed.entries.length;
      return {
        type: "joined",
        id,
        room: room.name.text,
        username: name.text,
        position: { epoch: position.epoch, seq: position.seq },
        members: members.map(({ name }) => name),
        count,
        ...page,
        recovered: isCut ? false : missed.recovered,
        reason: isCut ? "too-many" : missed.reason,
        topic,
        read,
        unread,
      };
    });
    connection.outbox.release(answer);
  }

  /** The answer is a snapshot of the moment of the call. */
  async who(connection: Connection, id: string | undefined, name: Name): Promise<void> {
    connection.outbox.hold();
    const room = this.#rooms.get(name.key)?.name.text ?? name.text;
    const { members, count } = await this.#members(connection, name.key);
    const names = members.map((member) => member.name);
    connection.outbox.release(connection.encode({ type: "who", id, room, members: names, count }));
  }

  /**
   * Returns the members of a room, the client's own user included if it is there. The roster may not know that yet, or
   * not any more: the user has come in on another node, or this node is about to get its lease back. Nobody is told of
   * its own presence, so the list could never be mended later.
   */
  async #members({ user, session }: Connection, key: string): Promise<MemberPage> {
    const isThere = user !== undefined && session.rooms.has(key);
    const page = await this.#roster.members(key, this.#limits.membersMax);
    const { members, count } = page;
    if (!isThere || count > members.length || members.some(({ id }) => id === user.id)) return page;
    return { members: [...members, user.author], count: count + 1 };
  }

  /** Lists members whose names begin with a prefix, out of the first ones of a room. */
  async users(connection: Connection, id: string | undefined, decision: DecisionOf<"users">): Promise<void> {
    const { room, prefix, limit } = decision;
    const { members, count } = await this.#roster.members(room.key, USERS_EXAMINED_MAX);
    const names = members.map(({ name }) => name);
    const matches = names.values().filter((name) => nameKey(name).startsWith(prefix));
    const { items, more } = limitPage(matches, { limit, sizeOf: () => 0 });
    connection.answer({
      type: "users",
      id,
      room: room.text,
      users: items.sort(),
      more: more || count > USERS_EXAMINED_MAX,
    });
  }

  /** The answer is a snapshot of the moment of the call. */
  async list(connection: Connection, id: string | undefined): Promise<void> {
    connection.outbox.hold();
    const positions = new Map<Room, Position>();
    for (const { key } of connection.session.rooms.values()) {
      const room = this.#rooms.get(key);
      if (room !== undefined) positions.set(room, room.position);
    }
    const rooms: AnswerOf<"rooms">["rooms"][number][] = [];
    for (const { room: key, count } of await this.#roster.rooms(this.#limits.roomListMax)) {
      const room = this.#rooms.get(key);
      const position = room && positions.get(room);
      const unread = position && (await this.#unread(connection, room, position));
      rooms.push({ room: room?.name.text ?? key, count, unread });
    }
    connection.outbox.release(connection.encode({ type: "rooms", id, rooms }));
  }

  async history(connection: Connection, id: string | undefined, decision: DecisionOf<"history">): Promise<void> {
    const { room, before, after, limit } = decision;
    const page = await this.#log.read(room.key, { before, after, ...this.#bounds(limit) });
    const keep = after === undefined ? "newest" : "oldest";
    const answer = (page: Page): Answer => ({ type: "history", id, room: room.text, ...page });
    connection.outbox.release(this.#encodePage(connection, room, page, keep, answer));
  }

  async search(connection: Connection, id: string | undefined, decision: DecisionOf<"search">): Promise<void> {
    const { room, query, before, limit } = decision;
    if (this.#searches === undefined) {
      connection.answer({ ...refuse("unsupported", "This server does not search messages"), id });
      return;
    }
    // The connections of an address share its turns.
    const asker = addressKey(connection.link.address);
    const page = await this.#searches.search(asker, room.key, query, { before, ...this.#bounds(limit) });
    const answer = (page: Page): Answer => ({ type: "search", id, room: room.text, ...page });
    connection.outbox.release(this.#encodePage(connection, room, page, "newest", answer));
  }

  /** Returns the `seq` up to which the user has read this log, if it has said so. */
  async #readUpTo({ user }: Connection, room: Room, { epoch }: Position): Promise<number | undefined> {
    const read = await this.#users.readPosition((user as User).id, room.name.key);
    return read?.epoch === epoch ? read.seq : undefined;
  }

  /** Returns `undefined` if the user has sent no read position, or if the client is over its rate. */
  async #unread(connection: Connection, room: Room, position: Position): Promise<number | undefined> {
    const read = await this.#readUpTo(connection, room, position);
    // Counting costs as much as `history`, and there may be many rooms.
    if (read === undefined || (read < position.seq && !this.#mayAsk(connection))) return undefined;
    return this.#countUnread(connection.user as User, room, position, read);
  }

  /** Counts the chat messages of others after a position, among at most `historyMax` entries. */
  async #countUnread(user: Name, room: Room, until: Position, after: number): Promise<number> {
    if (after >= until.seq) return 0;
    const options = { after, before: until.seq + 1, ...this.#bounds(this.#limits.historyMax) };
    const { entries } = await this.#log.read(room.name.key, options);
    return entries.filter(({ kind, author }) => kind === "message" && nameKey(author.name) !== user.key).length;
  }

  /** Limits a read of the log to what an answer can hold. */
  #bounds(limit: number): ReadBounds {
    return { limit, charactersMax: this.#entriesBytesMax };
  }

  /** Encodes an answer with a page of entries. Leaves out those that do not fit into it. */
  #encodePage(
    connection: Connection,
    room: Name,
    { entries, more }: Page,
    keep: "newest" | "oldest",
    answer: (page: Page) => Answer,
  ): Uint8Array | undefined {
    const whole = connection.encode(answer({ entries, more }));
    const sizeMax = this.#entriesBytesMax;
    if (whole === undefined || whole.length <= sizeMax) return whole;
    const sizeOf = (entry: Entry) => connection.format.entryBytes(entry, room.text);
    const page = limitPage(keep === "newest" ? entries.toReversed() : entries, { sizeMax, sizeOf });
    if (!page.more) return whole;
    return connection.encode(answer({ entries: keep === "newest" ? page.items.reverse() : page.items, more: true }));
  }

  /**
   * A quarter of the outbox limit: an answer alone cannot overflow the outbox, and encoding it does not delay others
   * for long.
   */
  get #entriesBytesMax(): number {
    return this.#limits.outboxBytesMax / 4;
  }
}

/** Where messages are kept, and what they survive: a power cut, the end of the process, nothing. */
export type Durability = "disk" | "process" | "memory";

/** Every setting of the server, beside the limits of `ChatLimits`. */
export interface ServerConfig {
  /** Where it listens; `localhost` is both loopback addresses. @default "localhost" */
  readonly host: string;
  /** 0 takes a free port. @default 8083 */
  readonly port: number;
  /** Names under which browsers reach the server, beside addresses and localhost. @default none */
  readonly hosts: readonly string[];
  /** The folder of the server's files; without one all is in memory. @default none; `./data` for the command */
  readonly data?: string | undefined;
  /** What an acknowledged message survives. @default "disk" */
  readonly durability: Durability;
  /** Newest entries that are kept of each room; `Infinity`: all. @default Infinity */
  readonly keepEntries: number;
  /** How long entries are kept, in milliseconds; `Infinity`: for ever. @default Infinity */
  readonly keepAgeMs: number;
  /** Connections open at once; those above are dropped. @default 10000 */
  readonly connectionsMax: number;
  /** Connections open at once from one address. @default 1000 */
  readonly connectionsPerAddressMax: number;
  /** New connections from one address, per second in the long run. @default 50 */
  readonly connectionRatePerAddress: number;
  /** New connections from one address at once, after a pause. @default 1000 */
  readonly connectionBurstPerAddress: number;
  /** `off` lifts every rate and every limit per address. @default "on" */
  readonly rates: "on" | "off";
  /**
   * How long a connection may be silent before it is taken for a client that waits for the welcome, in milliseconds.
   * Browsers open connections early and use them later; a welcome on such a connection spoils it. @default 2000
   */
  readonly silentMs: number;
  /** How long a client that has sent its first bytes waits for the welcome, if they do not show yet what it speaks. @default 250 */
  readonly sniffMs: number;
  /** How long an HTTP client may take for the head of a request, in milliseconds. @default 10000 */
  readonly headersTimeoutMs: number;
  /**
   * A connection for which bytes wait, and of which none has left for this long, is gone, in milliseconds. What the kernel
   * has taken counts as sent. @default 30000
   */
  readonly sendTimeoutMs: number;
  /** How long closing waits for clients to go, in milliseconds. @default 5000 */
  readonly drainMs: number;
}

export const DEFAULT_CONFIG: ServerConfig = {
  host: "localhost",
  port: 8083,
  hosts: [],
  data: undefined,
  durability: "disk",
  keepEntries: Number.POSITIVE_INFINITY,
  keepAgeMs: Number.POSITIVE_INFINITY,
  connectionsMax: 10_000,
  connectionsPerAddressMax: 1_000,
  connectionRatePerAddress: 50,
  connectionBurstPerAddress: 1_000,
  rates: "on",
  silentMs: 2_000,
  sniffMs: 250,
  headersTimeoutMs: 10_000,
  sendTimeoutMs: 30_000,
  drainMs: 5_000,
};

/** How a setting is written, and what it is for. */
export interface Setting {
  readonly kind: "text" | "hosts" | "port" | "count" | "rate" | "duration" | "size" | "choice";
  /** One line, for people. */
  readonly about: string;
  /** For `choice`: what there is. */
  readonly choices?: readonly string[];
  /** The least value. @default 1; 0 for durations, 0.001 for rates */
  readonly min?: number;
  /** The greatest value. @default 2^31 - 1, as far as Node's timers go; 2^53 - 1 where it `isLong` */
  readonly max?: number;
  /** Whether it can be `unlimited`. Rates always can. */
  readonly isUnlimitable?: true;
  /** A duration that no timer of Node's measures: it may be longer than 24 days. */
  readonly isLong?: true;
  /** It cannot change while the server runs. */
  readonly needsRestart?: true;
}

/** A connection that has shown nothing yet is held no longer. */
const HOUR_MS = 3_600_000;

/** Every setting and limit by its name, as in files and, in upper case, in the environment. */
export const SETTINGS: Readonly<Record<string, Setting>> = {
  host: { kind: "text", about: "where it listens; localhost is both loopback addresses", needsRestart: true },
  port: { kind: "port", about: "the one port for every kind of client; 0 takes a free one", needsRestart: true },
  hosts: { kind: "hosts", about: "names under which browsers reach the server, beside addresses and localhost" },
  data: { kind: "text", about: "the folder of the server's files", needsRestart: true },
  durability: {
    kind: "choice",
    choices: ["disk", "process", "memory"],
    about: "what an acknowledged message survives: a power cut, the end of the process, nothing",
    needsRestart: true,
  },
  keepEntries: { kind: "count", about: "newest entries kept of each room", isUnlimitable: true },
  keepAgeMs: { kind: "duration", about: "how long entries are kept", min: 1, isUnlimitable: true, isLong: true },
  connectionsMax: { kind: "count", about: "connections open at once" },
  connectionsPerAddressMax: { kind: "count", about: "connections of one address open at once", isUnlimitable: true },
  connectionRatePerAddress: { kind: "rate", about: "new connections of one address" },
  connectionBurstPerAddress: { kind: "count", about: "new connections of one address at once" },
  rates: { kind: "choice", choices: ["on", "off"], about: "off lifts every rate and every limit per address" },
  silentMs: { kind: "duration", about: "until a silent client gets the welcome", min: 1, max: HOUR_MS },
  sniffMs: {
    kind: "duration",
    about: "until a client that has not shown what it speaks gets the welcome",
    min: 1,
    max: HOUR_MS,
  },
  headersTimeoutMs: { kind: "duration", about: "for the head of an HTTP request", min: 1, max: HOUR_MS },
  sendTimeoutMs: { kind: "duration", about: "bytes wait for a connection and none leaves: it is gone", min: 1 },
  drainMs: { kind: "duration", about: "how long closing waits for clients to go" },
  frameBytesMax: { kind: "size", about: "longest request", max: 2 ** 28 },
  messageBytesMax: { kind: "size", about: "longest text of one chat message" },
  topicBytesMax: { kind: "size", about: "longest topic of a room" },
  roomsMax: { kind: "count", about: "rooms that one connection may be in" },
  connectionsPerPersonMax: { kind: "count", about: "connections that one person may have" },
  historyMax: { kind: "count", about: "entries in one answer" },
  historyDefault: { kind: "count", about: "entries in an answer to a request that does not say how many" },
  membersMax: { kind: "count", about: "names listed of a room's members" },
  roomListMax: { kind: "count", about: "rooms listed" },
  requestQueueMax: { kind: "count", about: "requests of a connection that wait" },
  requestQueueBytesMax: { kind: "size", about: "how long they are together" },
  inFlightMax: { kind: "count", about: "messages of a connection that are not committed yet" },
  outboxBytesMax: { kind: "size", about: "what waits for a connection" },
  pingMs: { kind: "duration", about: "silence after which a client is pinged", min: 1 },
  pongMs: { kind: "duration", about: "how long a pinged client may stay silent", min: 1 },
  joinTimeoutMs: {
    kind: "duration",
    about: "how long a connection may be in no room before its first one",
    min: 1_000,
  },
  messageRate: { kind: "rate", about: "chat messages of a connection, and of a user" },
  messageBurst: { kind: "count", about: "chat messages of a connection, and of a user, at once" },
  messageRatePerAddress: { kind: "rate", about: "chat messages of one address" },
  messageBurstPerAddress: { kind: "count", about: "chat messages of one address at once" },
  joinRate: { kind: "rate", about: "joins of a connection, and of a user" },
  joinBurst: { kind: "count", about: "joins of a connection, and of a user, at once" },
  joinRatePerAddress: { kind: "rate", about: "joins of one address" },
  joinBurstPerAddress: { kind: "count", about: "joins of one address at once" },
  requestRate: { kind: "rate", about: "other requests of a connection, and of a user" },
  requestBurst: { kind: "count", about: "other requests of a connection, and of a user, at once" },
  requestRatePerAddress: { kind: "rate", about: "other requests of one address" },
  requestBurstPerAddress: { kind: "count", about: "other requests of one address at once" },
};

/** A setting that must be large enough for another one. */
export interface Relation {
  readonly name: string;
  readonly other: string;
  /** The least value, where the other setting has this one. */
  readonly least: (other: number) => number;
}

/** What stands around a text, an entry or a list of names: other fields, with their names. */
const REST_BYTES = 1_024;
/** Names as JSON, with quotes and a comma: a quote or a backslash within takes two bytes. */
const PERSON_BYTES_MAX = 2 * 64 + 3;
const ROOM_BYTES_MAX = 2 * 128 + 3;
/** A room in the answer to `rooms`. */
const LISTED_ROOM_BYTES_MAX = ROOM_BYTES_MAX + 64;

/** A quarter of an outbox holds any one answer, so that nobody is let go for what it asked. */
const outboxFor = (bytes: number): number => 4 * (bytes + REST_BYTES);

/** What settings must be beside others. */
export const RELATIONS: readonly Relation[] = [
  // A request that is too long ends its connection, so one with a text that is allowed must not be.
  { name: "frameBytesMax", other: "messageBytesMax", least: (bytes) => bytes + REST_BYTES },
  { name: "frameBytesMax", other: "topicBytesMax", least: (bytes) => bytes + REST_BYTES },
  { name: "outboxBytesMax", other: "frameBytesMax", least: outboxFor },
  { name: "outboxBytesMax", other: "membersMax", least: (count) => outboxFor(count * PERSON_BYTES_MAX) },
  { name: "outboxBytesMax", other: "roomListMax", least: (count) => outboxFor(count * LISTED_ROOM_BYTES_MAX) },
  { name: "outboxBytesMax", other: "roomsMax", least: (count) => outboxFor(count * ROOM_BYTES_MAX) },
];

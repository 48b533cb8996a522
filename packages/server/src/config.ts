/** What an acknowledged message survives: `disk` a power cut, `process` the end of the process, `memory` neither. */
export type Durability = "disk" | "process" | "memory";

/** All settings of the server, except the limits in `ChatLimits`. */
export interface ServerConfig {
  /** The address to listen on. `localhost` means both loopback addresses. @default "localhost" */
  readonly host: string;
  /** The port to listen on. 0 takes a free port. @default 8083 */
  readonly port: number;
  /** Host names of the server for browsers, besides addresses and localhost. @default none */
  readonly hosts: readonly string[];
  /** The folder of the server's files. Without one, everything is in memory. @default none; `./data` for the command */
  readonly data?: string | undefined;
  /** What an acknowledged message survives. @default "disk" */
  readonly durability: Durability;
  /** Newest entries kept of each room. `Infinity` keeps all. @default Infinity */
  readonly keepEntries: number;
  /** How long entries are kept, in milliseconds. `Infinity` keeps them forever. @default Infinity */
  readonly keepAgeMs: number;
  /** Most connections open at once. More are reset. @default 10000 */
  readonly connectionsMax: number;
  /** Most connections open at once from one address. @default 1000 */
  readonly connectionsPerAddressMax: number;
  /** New connections per second from one address, on average. @default 50 */
  readonly connectionRatePerAddress: number;
  /** New connections at once from one address, after a pause. @default 1000 */
  readonly connectionBurstPerAddress: number;
  /** `off` disables all rate limits and all limits per address. @default "on" */
  readonly rates: "on" | "off";
  /**
   * How long the server waits for a silent client before it sends the welcome, in milliseconds. Browsers open
   * connections early and use them later; a welcome on such a connection would break its HTTP request. @default 2000
   */
  readonly silentMs: number;
  /**
   * How long the server waits for a client whose first bytes do not show its protocol, in milliseconds. Then it sends
   * the welcome. @default 250
   */
  readonly sniffMs: number;
  /** How long an HTTP client may take to send the head of a request, in milliseconds. @default 10000 */
  readonly headersTimeoutMs: number;
  /**
   * Resets a connection whose buffered bytes make no progress for this long, in milliseconds. Bytes that the kernel
   * accepted count as sent. @default 30000
   */
  readonly sendTimeoutMs: number;
  /** How long closing waits for clients to leave, in milliseconds. @default 5000 */
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

/** The type of a setting, and its description. */
export interface Setting {
  readonly kind: "text" | "hosts" | "port" | "count" | "rate" | "duration" | "size" | "choice";
  /** The description, in one line. */
  readonly about: string;
  /** The values of a `choice`. */
  readonly choices?: readonly string[];
  /** The smallest value. @default 1; 0 for durations, 0.001 for rates */
  readonly min?: number;
  /** The largest value. @default 2^31 - 1, the limit of Node's timers; 2^53 - 1 if `isLong` */
  readonly max?: number;
  /** Whether it may be `unlimited`. Rates always may. */
  readonly isUnlimitable?: true;
  /** A duration that is not used with Node's timers, so it may exceed 24 days. */
  readonly isLong?: true;
  /** It cannot change while the server runs. */
  readonly needsRestart?: true;
}

/** The longest wait for a client that has not shown its protocol. */
const HOUR_MS = 3_600_000;

/** All settings and limits by name, as in files. Environment variables and flags derive from the name. */
export const SETTINGS: Readonly<Record<string, Setting>> = {
  host: { kind: "text", about: "address to listen on; localhost means both loopback addresses", needsRestart: true },
  port: { kind: "port", about: "port for all clients; 0 takes a free one", needsRestart: true },
  hosts: { kind: "hosts", about: "host names of the server for browsers, besides addresses and localhost" },
  data: { kind: "text", about: "folder of the server's files", needsRestart: true },
  durability: {
    kind: "choice",
    choices: ["disk", "process", "memory"],
    about: "what an acknowledged message survives: a power cut, the end of the process, or neither",
    needsRestart: true,
  },
  keepEntries: { kind: "count", about: "newest entries kept in each room", isUnlimitable: true },
  keepAgeMs: { kind: "duration", about: "how long entries are kept", min: 1, isUnlimitable: true, isLong: true },
  connectionsMax: { kind: "count", about: "most connections open at once" },
  connectionsPerAddressMax: {
    kind: "count",
    about: "most connections open at once from one address",
    isUnlimitable: true,
  },
  connectionRatePerAddress: { kind: "rate", about: "new connections from one address" },
  connectionBurstPerAddress: { kind: "count", about: "new connections from one address at once" },
  rates: { kind: "choice", choices: ["on", "off"], about: "off disables all rate limits and all limits per address" },
  silentMs: {
    kind: "duration",
    about: "how long to wait for a silent client before the welcome",
    min: 1,
    max: HOUR_MS,
  },
  sniffMs: {
    kind: "duration",
    about: "how long to wait for a client whose first bytes do not show its protocol",
    min: 1,
    max: HOUR_MS,
  },
  headersTimeoutMs: {
    kind: "duration",
    about: "how long a client may take to send the head of an HTTP request",
    min: 1,
    max: HOUR_MS,
  },
  sendTimeoutMs: {
    kind: "duration",
    about: "reset a connection whose buffered bytes make no progress for this long",
    min: 1,
  },
  drainMs: { kind: "duration", about: "how long closing waits for clients to leave" },
  frameBytesMax: { kind: "size", about: "longest request", max: 2 ** 28 },
  messageBytesMax: { kind: "size", about: "longest text of one chat message" },
  topicBytesMax: { kind: "size", about: "longest topic of a room" },
  roomsMax: { kind: "count", about: "most rooms for one connection" },
  connectionsPerPersonMax: { kind: "count", about: "most connections of one user" },
  awayMs: { kind: "duration", about: "how long a user that has lost its connection stays in its rooms" },
  resumeMs: { kind: "duration", about: "how long a session waits for its client to come back", isLong: true },
  detachedPerAddressMax: { kind: "count", about: "most sessions that wait for clients from one address", min: 0 },
  historyMax: { kind: "count", about: "most entries in one answer" },
  historyDefault: { kind: "count", about: "entries in a history answer if the request gives no limit" },
  membersMax: { kind: "count", about: "most members listed" },
  roomListMax: { kind: "count", about: "most rooms listed" },
  requestQueueMax: { kind: "count", about: "most queued requests of one connection" },
  requestQueueBytesMax: { kind: "size", about: "largest sum of the queued requests of one connection" },
  inFlightMax: { kind: "count", about: "most uncommitted messages of one connection" },
  outboxBytesMax: { kind: "size", about: "most bytes buffered for one connection" },
  pingMs: { kind: "duration", about: "how long a client may be silent before it is pinged", min: 1 },
  pongMs: { kind: "duration", about: "how long a client may take to answer a ping", min: 1 },
  joinTimeoutMs: {
    kind: "duration",
    about: "how long a connection may wait before it joins its first room",
    min: 1_000,
  },
  messageRate: { kind: "rate", about: "chat messages and topics of one connection, and of one user" },
  messageBurst: { kind: "count", about: "chat messages and topics of one connection, and of one user, at once" },
  messageRatePerAddress: { kind: "rate", about: "chat messages and topics from one address" },
  messageBurstPerAddress: { kind: "count", about: "chat messages and topics from one address at once" },
  joinRate: { kind: "rate", about: "joins of one connection, and of one user" },
  joinBurst: { kind: "count", about: "joins of one connection, and of one user, at once" },
  joinRatePerAddress: { kind: "rate", about: "joins from one address" },
  joinBurstPerAddress: { kind: "count", about: "joins from one address at once" },
  requestRate: { kind: "rate", about: "other requests of one connection, and of one user" },
  requestBurst: { kind: "count", about: "other requests of one connection, and of one user, at once" },
  requestRatePerAddress: { kind: "rate", about: "other requests from one address" },
  requestBurstPerAddress: { kind: "count", about: "other requests from one address at once" },
};

/** A lower bound of one setting that depends on another. */
export interface Relation {
  readonly name: string;
  readonly other: string;
  /** Returns the least value for a given value of the other setting. */
  readonly least: (other: number) => number;
}

/** The other fields of a message, with their names, in bytes. */
const REST_BYTES = 1_024;
/** Longest names as JSON, with quotes and a comma. A quote or a backslash in a name takes two bytes. */
const PERSON_BYTES_MAX = 2 * 64 + 3;
const ROOM_BYTES_MAX = 2 * 128 + 3;
/** A room in the answer to `rooms`. */
const LISTED_ROOM_BYTES_MAX = ROOM_BYTES_MAX + 64;

/** An answer may fill a quarter of the outbox, so that a request alone cannot overflow it. */
const outboxFor = (bytes: number): number => 4 * (bytes + REST_BYTES);

/** The relations between settings. */
export const RELATIONS: readonly Relation[] = [
  // A request that is too long ends the connection. So a request with the longest allowed text must fit.
  // A user leaves its rooms at the latest when its sessions end.
  { name: "resumeMs", other: "awayMs", least: (ms) => ms },
  { name: "frameBytesMax", other: "messageBytesMax", least: (bytes) => bytes + REST_BYTES },
  { name: "frameBytesMax", other: "topicBytesMax", least: (bytes) => bytes + REST_BYTES },
  { name: "outboxBytesMax", other: "frameBytesMax", least: outboxFor },
  { name: "outboxBytesMax", other: "membersMax", least: (count) => outboxFor(count * PERSON_BYTES_MAX) },
  { name: "outboxBytesMax", other: "roomListMax", least: (count) => outboxFor(count * LISTED_ROOM_BYTES_MAX) },
  { name: "outboxBytesMax", other: "roomsMax", least: (count) => outboxFor(count * ROOM_BYTES_MAX) },
];

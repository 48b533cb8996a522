/** Limits on one client and on what the server stores for it. `docs/limits.md` describes each. */
export interface ChatLimits {
  /** Longest text of one chat message, in bytes of UTF-8. */
  readonly messageBytesMax: number;
  /** Longest topic of a room, in bytes of UTF-8. */
  readonly topicBytesMax: number;
  /** Longest request, in bytes. A longer one ends the connection: the start of the next request is unknown. */
  readonly frameBytesMax: number;
  /** Most rooms for one connection. */
  readonly roomsMax: number;
  /** Most connections of one user. */
  readonly connectionsPerPersonMax: number;
  /** How long a user that has lost its connection stays in its rooms, in milliseconds. */
  readonly awayMs: number;
  /** How long a session waits for its client, in milliseconds. Until then nobody else gets the name. */
  readonly resumeMs: number;
  /** Most sessions that wait for clients from one address. Past this, the one that has waited longest ends. */
  readonly detachedPerAddressMax: number;
  /** Most entries in one `history` or `joined` answer. */
  readonly historyMax: number;
  /** Entries in a `history` answer if the request gives no limit. */
  readonly historyDefault: number;
  /** Most names listed by `who`, `users` and `joined`. */
  readonly membersMax: number;
  /** Most rooms listed by `rooms`. */
  readonly roomListMax: number;
  /** Queued requests of one connection. Past this, the server stops reading from it. */
  readonly requestQueueMax: number;
  /**
   * Size of those queued requests as JSON, in UTF-16 units. Past this, the server stops reading from the connection.
   */
  readonly requestQueueBytesMax: number;
  /** Uncommitted chat messages of one connection. Past this, its next messages wait. */
  readonly inFlightMax: number;
  /** Bytes buffered for one client. Past this, the server closes its connection with `slow-consumer`. */
  readonly outboxBytesMax: number;
  /** How long a version 2 or WebSocket client may be silent before the server pings it, in milliseconds. */
  readonly pingMs: number;
  /** How long a client may take to answer a ping, in milliseconds. */
  readonly pongMs: number;
  /** How long a connection may stay without joining its first room, in milliseconds. */
  readonly joinTimeoutMs: number;
  /** Chat messages and topics per second, on average, of one connection and of one user on all connections. */
  readonly messageRate: number;
  /** Chat messages and topics allowed at once after a pause. */
  readonly messageBurst: number;
  /** The same two limits for all connections from one address. */
  readonly messageRatePerAddress: number;
  readonly messageBurstPerAddress: number;
  /** Joins per second, on average, of one connection and of one user on all connections. */
  readonly joinRate: number;
  /** Joins allowed at once after a pause. */
  readonly joinBurst: number;
  /** The same two limits for all connections from one address. */
  readonly joinRatePerAddress: number;
  readonly joinBurstPerAddress: number;
  /** Other requests per second, on average, of one connection and of one user on all connections. */
  readonly requestRate: number;
  /** Other requests allowed at once after a pause. */
  readonly requestBurst: number;
  /** The same two limits for all connections from one address. */
  readonly requestRatePerAddress: number;
  readonly requestBurstPerAddress: number;
}

export const DEFAULT_LIMITS: ChatLimits = {
  messageBytesMax: 16_384,
  topicBytesMax: 1_024,
  frameBytesMax: 65_536,
  roomsMax: 64,
  connectionsPerPersonMax: 8,
  awayMs: 10_000,
  resumeMs: 120_000,
  detachedPerAddressMax: 16,
  historyMax: 200,
  historyDefault: 50,
  membersMax: 200,
  roomListMax: 200,
  requestQueueMax: 256,
  requestQueueBytesMax: 131_072,
  inFlightMax: 1_024,
  outboxBytesMax: 1_048_576,
  pingMs: 25_000,
  pongMs: 10_000,
  joinTimeoutMs: 60_000,
  messageRate: 50,
  messageBurst: 250,
  messageRatePerAddress: 1_000,
  messageBurstPerAddress: 5_000,
  joinRate: 10,
  joinBurst: 250,
  joinRatePerAddress: 200,
  joinBurstPerAddress: 5_000,
  requestRate: 20,
  requestBurst: 250,
  requestRatePerAddress: 400,
  requestBurstPerAddress: 5_000,
};

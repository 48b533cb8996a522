/** What one client may do and what the server keeps for it. Every limit is described in `docs/limits.md`. */
export interface ChatLimits {
  /** Longest text of one chat message, in bytes of UTF-8. */
  readonly messageBytesMax: number;
  /** Longest topic of a room, in bytes of UTF-8. */
  readonly topicBytesMax: number;
  /** Longest request, in bytes. Past it the connection ends: what follows cannot be told apart. */
  readonly frameBytesMax: number;
  /** Rooms that one connection may be in. */
  readonly roomsMax: number;
  /** Connections that one person may have. */
  readonly connectionsPerPersonMax: number;
  /** Entries that one `history` or `join` gives. */
  readonly historyMax: number;
  /** Entries that `history` gives when it is not told how many. */
  readonly historyDefault: number;
  /** Names that `who` and `joined` list. */
  readonly membersMax: number;
  /** Rooms that `rooms` lists. */
  readonly roomListMax: number;
  /** Requests of one connection that wait for an earlier one; reading stops above. */
  readonly requestQueueMax: number;
  /** Characters of such requests; reading stops above. */
  readonly requestQueueBytesMax: number;
  /** Chat messages of one connection that are not committed yet; the next ones wait above. */
  readonly inFlightMax: number;
  /** Bytes that wait for one client; above it is let go with `slow-consumer`. */
  readonly outboxBytesMax: number;
  /** Pause after which a silent version 2 or WebSocket client is pinged, in milliseconds. */
  readonly pingMs: number;
  /** How long a pinged client may stay silent, in milliseconds. */
  readonly pongMs: number;
  /** How long a connection may be in no room before its first one, in milliseconds. */
  readonly joinTimeoutMs: number;
  /** Chat messages of a connection, and of a user on all connections, per second in the long run. */
  readonly messageRate: number;
  /** As many of them at once, after a pause. */
  readonly messageBurst: number;
  /** The same of all connections from one address. */
  readonly messageRatePerAddress: number;
  readonly messageBurstPerAddress: number;
  /** Joins of a connection, and of a user on all connections, per second in the long run. */
  readonly joinRate: number;
  /** As many of them at once, after a pause. */
  readonly joinBurst: number;
  /** The same of all connections from one address. */
  readonly joinRatePerAddress: number;
  readonly joinBurstPerAddress: number;
  /** Other requests of a connection, and of a user on all connections, per second in the long run. */
  readonly requestRate: number;
  /** As many of them at once, after a pause. */
  readonly requestBurst: number;
  /** The same of all connections from one address. */
  readonly requestRatePerAddress: number;
  readonly requestBurstPerAddress: number;
}

export const DEFAULT_LIMITS: ChatLimits = {
  messageBytesMax: 16_384,
  topicBytesMax: 1_024,
  frameBytesMax: 65_536,
  roomsMax: 64,
  connectionsPerPersonMax: 8,
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

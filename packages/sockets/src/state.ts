import { type Channel, channel } from "node:diagnostics_channel";
import type { Address } from "./address.ts";

/** The life of a listener. Node binds and listens in one step. */
export type ListenerState = "created" | "listening" | "closing" | "closed";

/** The life of a datagram socket. */
export type DatagramSocketState = "created" | "bound" | "closing" | "closed";

/**
 * The life of a connection. `half-closed-local`: we finished, the peer may still send. `half-closed-remote`: the other
 * way round. `closing`: `close()` was called, or both sides finished.
 */
export type ConnectionState =
  | "created"
  | "connecting"
  | "established"
  | "half-closed-local"
  | "half-closed-remote"
  | "closing"
  | "closed";

/** What is published on `node:diagnostics_channel` when a socket changes its state. */
export interface StateChange<State extends string = ConnectionState | ListenerState | DatagramSocketState> {
  /** The same number for all changes of one socket. */
  readonly id: number;
  readonly from: State;
  readonly to: State;
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /** This side's address, as far as it is known. */
  readonly local: Address | undefined;
  /** The peer's; none for a listener. */
  readonly remote: Address | undefined;
  /** Why, where it is more than the next step: the peer's FIN, an error. */
  readonly reason: string | undefined;
}

const CHANNELS: Readonly<Record<"connection" | "listener" | "datagram", Channel>> = {
  connection: channel("landline:connection"),
  listener: channel("landline:listener"),
  datagram: channel("landline:datagram"),
};

/**
 * The names of the channels that {@link StateChange}s are published on.
 *
 * @example
 * ```ts
 * import { subscribe } from "node:diagnostics_channel";
 * import { bind, type StateChange } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * const states: string[] = [];
 * subscribe("landline:datagram", (message) => void states.push((message as StateChange).to));
 * const socket = await bind();
 * await socket.close();
 * assert.deepEqual(states, ["bound", "closing", "closed"]);
 * ```
 */
export const STATE_CHANNELS = ["landline:connection", "landline:listener", "landline:datagram"] as const;

let lastId = 0;

/** Numbers the sockets of this process, for {@link StateChange.id}. */
export function nextSocketId(): number {
  lastId += 1;
  return lastId;
}

/** Publishes a change; nothing is built when nobody subscribes. */
export function publishStateChange<State extends ConnectionState | ListenerState | DatagramSocketState>(
  kind: keyof typeof CHANNELS,
  build: () => StateChange<State>,
): void {
  if (CHANNELS[kind].hasSubscribers) CHANNELS[kind].publish(build());
}

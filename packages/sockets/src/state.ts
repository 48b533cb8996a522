import { type Channel, channel } from "node:diagnostics_channel";
import type { Address } from "./address.ts";

/** The states of a listener. Node binds and listens in one step. */
export type ListenerState = "created" | "listening" | "closing" | "closed";

/** The states of a datagram socket. */
export type DatagramSocketState = "created" | "bound" | "closing" | "closed";

/**
 * The states of a connection. `half-closed-local`: this side finished, the peer may still send. `half-closed-remote`:
 * the peer finished, this side may still send. `closing`: `close()` was called, or both sides finished.
 */
export type ConnectionState =
  | "created"
  | "connecting"
  | "established"
  | "half-closed-local"
  | "half-closed-remote"
  | "closing"
  | "closed";

/** A state change of a socket, published on `node:diagnostics_channel`. */
export interface StateChange<State extends string = ConnectionState | ListenerState | DatagramSocketState> {
  /** Identifies the socket within the process. */
  readonly id: number;
  readonly from: State;
  readonly to: State;
  /** Time of the change, in milliseconds since 1970. */
  readonly at: number;
  /** This side's address, or `undefined` when unknown. */
  readonly local: Address | undefined;
  /** The peer's address. `undefined` for a listener. */
  readonly remote: Address | undefined;
  /** The reason, such as the peer's FIN or an error. `undefined` for a normal next step. */
  readonly reason: string | undefined;
}

const CHANNELS: Readonly<Record<"connection" | "listener" | "datagram", Channel>> = {
  connection: channel("landline:connection"),
  listener: channel("landline:listener"),
  datagram: channel("landline:datagram"),
};

/**
 * Names of the diagnostics channels on which {@link StateChange}s are published.
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

/** Returns the next {@link StateChange.id}. */
export function nextSocketId(): number {
  lastId += 1;
  return lastId;
}

/** Publishes a change. Does not call `build` without subscribers. */
export function publishStateChange<State extends ConnectionState | ListenerState | DatagramSocketState>(
  kind: keyof typeof CHANNELS,
  build: () => StateChange<State>,
): void {
  if (CHANNELS[kind].hasSubscribers) CHANNELS[kind].publish(build());
}

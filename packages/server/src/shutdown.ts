import type { SqliteGuests } from "./adapters/sqlite/mod.ts";
import type { Door } from "./gateways/door.ts";
import type { HttpGateway } from "./gateways/http.ts";
import type { Hub, RoomLog } from "./hub/mod.ts";

/** The parts that {@link shutDown} stops. */
export interface ShutdownOptions {
  readonly door: Door;
  readonly http: HttpGateway;
  readonly hub: Hub;
  readonly guests: SqliteGuests | undefined;
  readonly log: RoomLog;
  /** Half of it is for the requests under way. */
  readonly drainMs: number;
  /** Receives failures to close. */
  readonly report: (error: unknown) => void;
}

/** The least time for closing the log, in milliseconds. A thread told to end may use the same time again. */
const LOG_CLOSE_MS = 1_000;

/**
 * Stops a server: accepts no new clients, carries out the requests received before, says goodbye, ends all connections
 * and closes the log.
 */
export async function shutDown({ door, http, hub, guests, log, drainMs, report }: ShutdownOptions): Promise<void> {
  const endsAtMs = performance.now() + drainMs;
  const restMs = (): number => Math.max(0, endsAtMs - performance.now());
  door.refuse();
  await pollOnce();
  // Send the goodbyes before closing: bytes written before a close still leave.
  await hub.drain({ code: "shutdown", message: "The server is shutting down", reconnect: true }, drainMs / 2);
  door.shut();
  // Answer the HTTP requests under way before their connections are closed.
  await http.close(restMs());
  await door.close(restMs());
  // Before the log, which keeps other servers out of the folder.
  await guests?.close();
  const logMs = Math.max(LOG_CLOSE_MS, endsAtMs - performance.now() - LOG_CLOSE_MS);
  log.close({ signal: AbortSignal.timeout(Math.round(logMs)) }).catch(() => undefined);
  // A failure here loses no acknowledged entry.
  await hub.close().catch(report);
}

/** Resolves when the event loop has read what the kernel has buffered now for every connection that is not paused. */
async function pollOnce(): Promise<void> {
  // The first turn may come before this turn's poll phase. The second comes after the next poll phase.
  for (let turn = 0; turn < 2; turn += 1) await new Promise((next) => setImmediate(next));
}

import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { Address } from "@landline/sockets";
import {
  MemoryBus,
  MemoryRoomLog,
  MemoryRoomStore,
  MemoryRoster,
  MemoryUsers,
  RosterStore,
} from "./adapters/memory/mod.ts";
import { SqliteGuests, SqliteRoomLog, type SqliteRoomLogOptions } from "./adapters/sqlite/mod.ts";
import { checkSettings } from "./check-settings.ts";
import { DEFAULT_CONFIG, type ServerConfig } from "./config.ts";
import { type ChatLimits, DEFAULT_LIMITS, RateLimits } from "./core/mod.ts";
import { loadAssets } from "./gateways/assets.ts";
import { Door } from "./gateways/door.ts";
import { HttpGateway } from "./gateways/http.ts";
import { StreamGateway } from "./gateways/stream.ts";
import { WebSocketGateway } from "./gateways/websocket.ts";
import { Hub, type RoomLog, RoomLogError, type RoomSearch } from "./hub/mod.ts";
import { jsonLines, jsonMessages, jsonPrefixed } from "./json-wires.ts";
import { shutDown } from "./shutdown.ts";

/** The options of {@link startServer}: any setting and any limit. */
export interface ServerOptions extends Partial<ServerConfig> {
  readonly limits?: Partial<ChatLimits>;
  /** Receives failures that no client caused. @default a process warning */
  readonly onError?: (error: unknown) => void;
  /** Called when messages are stored again after `onError` received a failure to store. @default none */
  readonly onRecovered?: () => void;
}

/** A running chat server. */
export interface ChatServer extends AsyncDisposable {
  /** The address it listens on. */
  readonly address: Address;
  /** Resolves with the reason when the log has failed for good. Close the server then. */
  readonly failed: Promise<unknown>;
  /**
   * Accepts no new clients, carries out the requests received before, says goodbye to all clients, and closes the
   * log. It takes `drainMs`, or up to two seconds if that is less. If the log cannot be closed by then, `onError`
   * receives a `timeout`. Idempotent.
   */
  close(): Promise<void>;
}

const WEB_FOLDER = fileURLToPath(new URL("../web", import.meta.url));
const SWEEP_MS = 1_000;

/**
 * Starts a chat server: JSON over TCP, WebSocket and the web page on one port.
 *
 * @throws {RangeError} when a setting or limit is invalid, alone or in relation to another.
 * @throws {SocketError} `address-in-use`, `address-not-available`, `permission`.
 * @throws {RoomLogError} when the log in the folder `data` cannot be opened: `in-use`, `newer-version`, `damaged`, …
 *
 * @example
 * ```ts
 * import { startServer } from "@landline/server";
 *
 * await using server = await startServer({ port: 0 });
 * console.log(server.address);
 * ```
 */
export async function startServer(options: ServerOptions = {}): Promise<ChatServer> {
  const { limits: limitOptions, onError, onRecovered, ...given } = options;
  const settings = checkSettings({ ...DEFAULT_CONFIG, ...given, ...DEFAULT_LIMITS, ...limitOptions });
  const config: ServerConfig = settings;
  const limits: ChatLimits = settings;
  const report = onError ?? ((error: unknown) => process.emitWarning(error instanceof Error ? error : String(error)));
  // The hub reports a lasting failure once a minute. `onRecovered` is called only after such a report.
  let isFailureTold = false;

  const failed = Promise.withResolvers<unknown>();
  let isReady = true;
  // Before the log is open: an error here must not leave it open.
  const assets = await loadAssets(WEB_FOLDER);
  const log = await openLog(config, {
    onError: (error) => {
      report(error);
      // A log opened read-only reports that once. Its recovery is then reported, too.
      if (error instanceof RoomLogError && error.code === "read-only") isFailureTold = true;
      if (!(error instanceof RoomLogError && error.code === "failed")) return;
      isReady = false;
      failed.resolve(error);
    },
    onRecovered: () => {
      if (isFailureTold) onRecovered?.();
      isFailureTold = false;
    },
  });
  const rates = config.rates === "on" ? new RateLimits(limits) : undefined;
  const now = () => performance.now();
  const rosterLimits = rates === undefined ? { ...limits, detachedPerAddressMax: Number.POSITIVE_INFINITY } : limits;
  const guests = await openGuests(config, report);
  const sessions = new RosterStore({ limits: rosterLimits, now, storage: guests });
  const hub = new Hub({
    log,
    search: log,
    users: new MemoryUsers({ storage: guests }),
    bus: new MemoryBus(),
    roster: new MemoryRoster(sessions),
    limits,
    rates,
    now,
    newSecret: () => randomBytes(24).toString("base64url"),
    report: (error) => {
      if (error instanceof RoomLogError) isFailureTold = true;
      report(error);
    },
  });
  sessions.restore();
  const stream = new StreamGateway(hub);
  const webSocket = new WebSocketGateway(hub, jsonMessages);
  const http = new HttpGateway({
    assets,
    hosts: config.hosts.map((host) => host.toLowerCase()),
    headersTimeoutMs: config.headersTimeoutMs,
    rates,
    health: () => ({ status: "ok" }),
    isReady: () => isReady,
    upgrade: (request, stream) => webSocket.accept(request, stream),
  });
  const lines = jsonLines(limits);
  const prefixed = jsonPrefixed(limits);
  const door = await Door.open(
    { ...config, addressLimits: config.rates === "on" ? config : undefined, report },
    {
      json: (connection, firstBytes) => stream.accept(connection, lines, firstBytes),
      jsonPrefixed: (connection, firstBytes) => stream.accept(connection, prefixed, firstBytes),
      silent: (connection) => stream.acceptSilent(connection, lines),
      http: (connection, firstBytes) => http.accept(connection, firstBytes),
    },
  ).catch(async (error) => {
    await Promise.all([http.close(0), guests?.close()]);
    // Last: the open log keeps other servers out of the folder.
    await log.close();
    throw error;
  });
  const sweeper = setInterval(() => hub.sweep(), SWEEP_MS);
  sweeper.unref();

  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    isReady = false;
    clearInterval(sweeper);
    closed ??= shutDown({ door, http, hub, guests, log, drainMs: config.drainMs, report });
    return closed;
  };
  return { address: door.address, failed: failed.promise, close, [Symbol.asyncDispose]: close };
}

async function openLog(
  config: ServerConfig,
  handlers: Pick<SqliteRoomLogOptions, "onError" | "onRecovered">,
): Promise<RoomLog & RoomSearch> {
  const { data: folder, durability, keepEntries, keepAgeMs } = config;
  const keep = { entriesMax: bounded(keepEntries), ageMs: bounded(keepAgeMs) };
  if (folder === undefined || durability === "memory") return new MemoryRoomLog(new MemoryRoomStore(keep));
  return await SqliteRoomLog.open({ folder, durability, keep, ...handlers });
}

/** Opens the guests' file beside the log. */
async function openGuests(
  { data: folder, durability }: ServerConfig,
  report: (error: unknown) => void,
): Promise<SqliteGuests | undefined> {
  return folder === undefined || durability === "memory" ? undefined : await SqliteGuests.open(folder, report);
}

function bounded(value: number): number | undefined {
  return value === Number.POSITIVE_INFINITY ? undefined : value;
}

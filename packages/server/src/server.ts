import { isUtf8 } from "node:buffer";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { type Address, json, lengthPrefixed, SocketError } from "@landline/sockets";
import { MemoryPresence, MemoryRegistry, MemoryRoomLog } from "./adapters/memory/mod.ts";
import { SqliteRoomLog } from "./adapters/sqlite/mod.ts";
import { DEFAULT_CONFIG, type ServerConfig } from "./config.ts";
import { type ChatLimits, DEFAULT_LIMITS, RateLimits } from "./core/mod.ts";
import { INVALID_JSON, readCommand, readText, version1, version2 } from "./dialects/json/mod.ts";
import { loadAssets } from "./gateways/assets.ts";
import { Door } from "./gateways/door.ts";
import { lineFraming, prefixFraming, websocketFraming } from "./gateways/framing.ts";
import { HttpGateway } from "./gateways/http.ts";
import { type StreamDialect, StreamGateway } from "./gateways/stream.ts";
import { WebSocketGateway } from "./gateways/websocket.ts";
import { type Framing, Hub, type RoomLog, RoomLogError, WireFormat, type WireFormats } from "./hub/mod.ts";

/** What {@link startServer} takes: any setting, any limit. */
export interface ServerOptions extends Partial<ServerConfig> {
  readonly limits?: Partial<ChatLimits>;
  /** Told of failures that are no client's doing. @default a process warning */
  readonly onError?: (error: unknown) => void;
}

/** A running chat server. */
export interface ChatServer extends AsyncDisposable {
  /** Where it listens. */
  readonly address: Address;
  /** Resolves with the reason when the server cannot do its work any more: its log is broken. Close it then. */
  readonly failed: Promise<unknown>;
  /**
   * Lets nobody in any more, finishes what was begun, says goodbye to everyone, flushes, closes the log, within `drainMs`.
   * Idempotent.
   */
  close(): Promise<void>;
}

const WEB_FOLDER = fileURLToPath(new URL("../web", import.meta.url));
const SWEEP_MS = 1_000;

/**
 * Starts a chat server: JSON over TCP, WebSocket and the web page on one port.
 *
 * @throws {SocketError} `address-in-use`, `address-not-available`, `permission`.
 * @throws {RoomLogError} when the rooms in the folder `data` cannot be opened: `in-use`, `newer-version`, `damaged`, …
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
  const { limits: limitOptions, onError, ...settings } = options;
  const config: ServerConfig = { ...DEFAULT_CONFIG, ...settings };
  const limits: ChatLimits = { ...DEFAULT_LIMITS, ...limitOptions };
  const report = onError ?? ((error: unknown) => process.emitWarning(error instanceof Error ? error : String(error)));

  const failed = Promise.withResolvers<unknown>();
  const log = await openLog(config, (error) => {
    report(error);
    if (error instanceof RoomLogError && error.code === "failed") failed.resolve(error);
  });
  const hub = new Hub({
    log,
    presence: new MemoryPresence(),
    registry: new MemoryRegistry(),
    limits,
    rates: config.rates === "on" ? new RateLimits(limits) : undefined,
    now: () => performance.now(),
    newSecret: () => randomBytes(24).toString("base64url"),
    report,
  });
  let isClosing = false;
  const stream = new StreamGateway(hub);
  const webSocket = new WebSocketGateway(hub, { formats: jsonFormats(websocketFraming), read: readText });
  const http = new HttpGateway({
    assets: await loadAssets(WEB_FOLDER),
    hosts: config.hosts.map((host) => host.toLowerCase()),
    headersTimeoutMs: config.headersTimeoutMs,
    health: () => ({ status: "ok" }),
    isReady: () => !isClosing,
    upgrade: (request, socket, head) => webSocket.accept(request, socket, head),
  });
  const lines = jsonLines(limits);
  const prefixed = jsonPrefixed(limits);
  const door = await Door.open(
    { ...config, callers: config.rates === "on" ? config : undefined, report },
    {
      json: (connection, firstBytes) => stream.accept(connection, lines, firstBytes),
      jsonPrefixed: (connection, firstBytes) => stream.accept(connection, prefixed, firstBytes),
      silent: (connection) => stream.acceptSilent(connection, lines),
      http: (socket) => http.accept(socket),
    },
  ).catch(async (error) => {
    await Promise.all([http.close(0), log.close()]);
    throw error;
  });
  const sweeper = setInterval(() => hub.sweep(), SWEEP_MS);
  sweeper.unref();

  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= (async () => {
      isClosing = true;
      clearInterval(sweeper);
      door.refuse();
      // The goodbyes first: what is written before a connection is closed still leaves.
      const goodbye = { code: "shutdown", message: "The server is shutting down", reconnect: true } as const;
      const endsAtMs = performance.now() + config.drainMs;
      await hub.drain(goodbye, config.drainMs / 2);
      const restMs = Math.max(0, endsAtMs - performance.now());
      await Promise.all([door.close(restMs), http.close(restMs)]);
      await hub.close();
    })();
    return closed;
  };
  return { address: door.address, failed: failed.promise, close, [Symbol.asyncDispose]: close };
}

async function openLog(config: ServerConfig, onError: (error: unknown) => void): Promise<RoomLog> {
  const { data: folder, durability, keepEntries, keepAgeMs } = config;
  if (folder === undefined || durability === "memory") return new MemoryRoomLog();
  const keep = { entriesMax: bounded(keepEntries), ageMs: bounded(keepAgeMs) };
  return await SqliteRoomLog.open({ folder, durability, keep, onError });
}

function bounded(value: number): number | undefined {
  return value === Number.POSITIVE_INFINITY ? undefined : value;
}

/** JSON values however they come: lines, back to back, cut anywhere. */
function jsonLines(limits: ChatLimits): StreamDialect {
  return {
    codec: json({ bytesMax: limits.frameBytesMax, invalid: "skip" }),
    formats: jsonFormats(lineFraming),
    read: (frame) => (frame instanceof SocketError ? INVALID_JSON : readCommand(frame)),
  };
}

/** Each JSON text with its length in front, as the seed's `send_with_length` does it. */
function jsonPrefixed(limits: ChatLimits): StreamDialect {
  return {
    codec: lengthPrefixed({ bytesMax: limits.frameBytesMax }),
    formats: jsonFormats(prefixFraming),
    read: (frame) => {
      const bytes = Buffer.from(frame as Uint8Array);
      return isUtf8(bytes) ? readText(bytes.toString()) : INVALID_JSON;
    },
  };
}

function jsonFormats(framing: Framing): WireFormats {
  return { 1: new WireFormat(version1, framing), 2: new WireFormat(version2, framing) };
}

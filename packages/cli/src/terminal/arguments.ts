import { InvalidArgumentError } from "commander";

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const DURATION_MS_MAX = 2 ** 31 - 1;

/** Help text for an option that {@link parseDuration} parses. */
export const DURATION_HELP = "in seconds, or with a unit: 500ms, 2s, 1m, 1h";

/** A port to connect to. */
export function parsePort(text: string): number {
  return portFrom(text, 1);
}

/** A port to listen on; 0 selects a free port. */
export function parseListenPort(text: string): number {
  return portFrom(text, 0);
}

function portFrom(text: string, least: number): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= least && port <= 65_535) return port;
  throw new InvalidArgumentError(`a port is an integer from ${least} to 65535`);
}

/** A time in seconds, or with a unit: `2`, `0.5`, `500ms`, `2s`, `1m`. @returns milliseconds. */
export function parseDuration(text: string): number {
  const [, digits, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const ms = Math.round(Number(digits) * (UNITS[unit] ?? Number.NaN));
  if (ms <= DURATION_MS_MAX) return ms;
  throw new InvalidArgumentError("a time is in seconds, or has a unit (ms, s, m, h): 2, 0.5, 500ms, 1m");
}

/** Parses `HOST:PORT` or `[::1]:PORT`. `HOST` alone is valid when there is a default port. */
export function parseAddress(text: string, defaultPort?: number): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const portNumber = port === undefined ? defaultPort : parsePort(port);
  if (host === undefined) throw new InvalidArgumentError("an address is HOST:PORT, or [::1]:PORT");
  if (portNumber === undefined) throw new InvalidArgumentError("a port is missing");
  return { host, port: portNumber };
}

/** An integer of at least 0. */
export function parseCount(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("a count is an integer of at least 0, with at most 9 digits");
}

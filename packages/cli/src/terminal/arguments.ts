import { InvalidArgumentError } from "commander";

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const DURATION_MS_MAX = 2 ** 31 - 1;

/** A port to connect to. */
export function parsePort(text: string): number {
  const port = parseListenPort(text);
  if (port === 0) throw new InvalidArgumentError("A port is a number from 1 to 65535.");
  return port;
}

/** A port to listen on; 0 takes a free one. */
export function parseListenPort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError("A port is a number from 0 to 65535.");
}

/** A time in seconds, or with a unit: `2`, `0.5`, `500ms`, `2s`, `1m`. @returns milliseconds. */
export function parseDuration(text: string): number {
  const [, digits, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const ms = Math.round(Number(digits) * (UNITS[unit] ?? Number.NaN));
  if (ms <= DURATION_MS_MAX) return ms;
  throw new InvalidArgumentError("A time is in seconds, or has a unit: 2, 0.5, 500ms, 1m.");
}

/** `HOST:PORT`, `HOST`, `[::1]:PORT`. */
export function parseAddress(text: string, defaultPort: number): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) throw new InvalidArgumentError("An address is HOST:PORT, or [::1]:PORT.");
  return { host, port: port === undefined ? defaultPort : parsePort(port) };
}

/** A whole number that is not negative. */
export function parseCount(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("A count is a whole number.");
}

import { type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { fromNodeError, SocketError, type SocketErrorCode, type SocketErrorFields } from "../errors.ts";

/** Maximum length of `sun_path`, in bytes. Windows pipes have another limit, which Node checks. */
const PATH_BYTES_MAX =
  process.platform === "win32" ? Number.POSITIVE_INFINITY : process.platform === "linux" ? 108 : 104;

/**
 * @throws {TypeError} when the path is not text, is empty, or contains NUL. On Linux NUL may be the first character: an
 * abstract socket, which is not a file.
 * @throws {RangeError} when the path is longer than the kernel allows.
 */
export function checkPath(path: unknown): asserts path is string {
  if (typeof path !== "string" || path === "") throw new TypeError("path must be a non-empty string");
  if (path.includes("\0", isAbstract(path) ? 1 : 0)) throw new TypeError("path must not contain NUL");
  const bytes = Buffer.byteLength(path);
  if (bytes <= PATH_BYTES_MAX) return;
  throw new RangeError(`path must be at most ${PATH_BYTES_MAX} bytes, as it names a Unix socket: ${bytes} bytes`);
}

/**
 * Finds the reason by looking at the path. The kernel's error codes are too coarse, and libuv replaces some of them.
 */
export function unixPathError(
  operation: "connect" | "listen",
  error: Error,
  action: string,
  path: string,
  fields: SocketErrorFields,
): SocketError {
  const reason = operation === "connect" ? connectReason(error, path) : listenReason(error, path);
  if (reason === undefined) return fromNodeError(error, action, fields);
  return new SocketError(reason.code, `${action}: ${reason.text}`, { ...fields, cause: error });
}

interface Reason {
  readonly code: SocketErrorCode;
  readonly text: string;
}

function connectReason({ code }: NodeJS.ErrnoException, path: string): Reason | undefined {
  if (!["ENOENT", "ENOTDIR", "ECONNREFUSED", "ENOTSOCK", "EPROTOTYPE"].includes(code ?? "")) return undefined;
  const found = look(path);
  switch (found) {
    case "socket":
    case "unknown":
      return undefined;
    case "nothing":
      return { code: "refused", text: "no such socket (is the server running?)" };
    case "no socket":
      return { code: "refused", text: "the path is not a socket" };
    default:
      return { code: "refused", text: found };
  }
}

function listenReason({ code }: NodeJS.ErrnoException, path: string): Reason | undefined {
  // libuv reports EACCES when the folder is missing.
  if (!["ENOENT", "ENOTDIR", "EACCES", "EADDRINUSE"].includes(code ?? "")) return undefined;
  const found = look(path);
  switch (found) {
    case "nothing":
    case "unknown":
      return undefined;
    case "socket":
      if (code !== "EADDRINUSE") return undefined;
      return {
        code: "address-in-use",
        text: "the socket exists (is another server running, or is it left over?)",
      };
    case "no socket":
      return { code: "address-in-use", text: "the path is not a socket" };
    default:
      return { code: "address-not-available", text: found };
  }
}

/** What is at the path, or what is wrong with its folder. */
function look(path: string): "socket" | "no socket" | "nothing" | "unknown" | `folder ${string}` {
  if (isAbstract(path) || process.platform === "win32") return "unknown";
  const folder = dirname(path);
  const folderStats = statsOf(folder);
  if (folderStats === "unknown") return "unknown";
  if (folderStats === undefined) return `folder ${folder} does not exist`;
  if (!folderStats.isDirectory()) return `folder ${folder} is not a folder`;
  const stats = statsOf(path);
  if (stats === "unknown") return "unknown";
  if (stats === undefined) return "nothing";
  return stats.isSocket() ? "socket" : "no socket";
}

function statsOf(path: string): Stats | undefined | "unknown" {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // For example without permission for the folder.
    return "unknown";
  }
}

function isAbstract(path: string): boolean {
  return process.platform === "linux" && path.startsWith("\0");
}

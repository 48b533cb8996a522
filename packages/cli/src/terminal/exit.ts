import { SocketError } from "@landline/sockets";
import { CommanderError } from "commander";
import { note } from "./notes.ts";
import { safeLine } from "./safe-text.ts";

/** SIGINT or SIGTERM asked the command to end. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly signal: "SIGINT" | "SIGTERM";
  readonly exitCode: number;

  constructor(signal: "SIGINT" | "SIGTERM") {
    super(`Interrupted by ${signal}`);
    this.signal = signal;
    this.exitCode = signal === "SIGINT" ? 130 : 143;
  }
}

/** The reader of standard output is gone (`EPIPE`), as in `landline get URL | head -1`. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** An expected failure of the command. Its message is for the user. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
}

/** Invalid settings in the environment or a file. Its message has one line per mistake. */
export class WrongSettings extends Error {
  override readonly name = "WrongSettings";
}

/** Prints an error in one line. @returns the exit code: 0, 1 (failure), 2 (wrong usage), 130 (SIGINT) or 143 (SIGTERM). */
export function reportError(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // Commander has printed it.
  if (error instanceof Interrupted) return error.exitCode;
  if (error instanceof OutputClosed) return 0;
  if (error instanceof WrongSettings) {
    note(error.message);
    return 2;
  }
  note(`landline: ${describeError(error)}`);
  return 1;
}

/**
 * The text of an error in one safe line. Prefers the most specific message: the command's own, then that of the socket
 * error in the chain of causes. An unexpected error is printed with its stack.
 */
export function describeError(error: unknown): string {
  const message = messageOf(error);
  return message === undefined ? ((error as Error).stack ?? String(error)) : safeLine(message);
}

/** The message of an expected error. */
function messageOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof CommandFailed) return error.message;
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    if (each instanceof SocketError) return each.message;
  }
  return "code" in error ? error.message : undefined;
}

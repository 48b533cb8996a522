import { SocketError } from "@landline/sockets";
import { CommanderError } from "commander";
import { note } from "./notes.ts";
import { safeLine } from "./safe-text.ts";

/** The user, or the system, asked the command to end. */
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

/** Nobody reads standard output any more, as in `landline get URL | head -1`. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** An ending that the command has foreseen; its message is for the user. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
}

/** Settings of the environment or a file that cannot be used; its message has a line for each. */
export class WrongSettings extends Error {
  override readonly name = "WrongSettings";
}

/** Tells the user what went wrong, in one line. @returns the exit code: 0, 1 (it failed), 2 (wrong usage), 130, 143. */
export function reportError(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // Commander has told it.
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
 * The most exact text there is: this command's own, or the socket's, where another error was made of it. It is one line,
 * though a peer may have worded it; only an error that nobody has foreseen comes with its stack.
 */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return safeLine(String(error));
  if (error instanceof CommandFailed) return safeLine(error.message);
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    if (each instanceof SocketError) return safeLine(each.message);
  }
  return "code" in error ? safeLine(error.message) : (error.stack ?? error.message);
}

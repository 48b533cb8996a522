import { safeLine, safeText } from "./safe-text.ts";

/** Maximum number of unread bytes; later notes are dropped. */
const UNREAD_BYTES_MAX = 1_048_576;

/** An output stream of the process. */
export interface NoteStream {
  readonly writableLength: number;
  write(text: string): boolean;
}

/**
 * Notes for people on one of the process's output streams. Writing never waits and never fails, so that a server
 * continues when its output is not read. Notes over the limit are dropped; the next written note reports their number.
 */
export class Notes {
  readonly #stream: NoteStream;
  #dropped = 0;

  constructor(stream: NoteStream) {
    this.#stream = stream;
  }

  /** Writes one or more lines as safe text. */
  write(text: string): void {
    if (this.#stream.writableLength >= UNREAD_BYTES_MAX) {
      this.#dropped += 1;
      return;
    }
    if (this.#dropped > 0)
      this.#stream.write(`landline: ${this.#dropped} notes were dropped because the output was not read\n`);
    this.#dropped = 0;
    this.#stream.write(`${safeText(text)}\n`);
  }
}

const errors = new Notes(process.stderr);
const announcements = new Notes(process.stdout);
let show = (text: string): void => errors.write(text);

/** Prints a note to standard error, or above the prompt while there is one. */
export function note(text: string): void {
  show(text);
}

/** Prints a server's normal status to standard output. */
export function announce(text: string): void {
  announcements.write(text);
}

/** Redirects notes. @returns a function that restores the previous target. */
export function redirectNotes(to: (text: string) => void): () => void {
  const before = show;
  show = to;
  return () => {
    show = before;
  };
}

/** Stops errors of the output streams from ending the process, and a paused terminal from blocking it. */
export function guardOutputs(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", () => undefined);
    // Node writes to terminals synchronously, so Ctrl-S would block the process. There is no public API to change that.
    const { _handle: handle } = stream as { _handle?: { setBlocking?(isBlocking: boolean): void } };
    if (stream.isTTY) handle?.setBlocking?.(false);
  }
}

/** Prints Node's warnings as notes. Node's own handler blocks on a full pipe, and prints text of peers unescaped. */
export function showWarnings(): void {
  if (process.listenerCount("warning") === 0) return; // NODE_NO_WARNINGS
  process.removeAllListeners("warning");
  process.on("warning", ({ name, message, detail }: Error & { readonly detail?: string }) => {
    note(`landline: ${name}: ${safeLine(message)}${detail === undefined ? "" : `\n${detail}`}`);
  });
}

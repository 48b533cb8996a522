import { safeLine, safeText } from "./safe-text.ts";

/** Bytes of text that may wait for their reader; what comes then is dropped. */
const UNREAD_BYTES_MAX = 1_048_576;

/** An output stream of the process. */
export interface NoteStream {
  readonly writableLength: number;
  write(text: string): boolean;
}

/**
 * Text for people on one of the process's output streams. It never waits and never fails: a server goes on when nobody
 * reads what it says. Text is dropped while too much waits for a reader, and how often is said when there is room again.
 */
export class Notes {
  readonly #stream: NoteStream;
  #dropped = 0;

  constructor(stream: NoteStream) {
    this.#stream = stream;
  }

  /** Writes a line, or several; made safe for a terminal. */
  write(text: string): void {
    if (this.#stream.writableLength >= UNREAD_BYTES_MAX) {
      this.#dropped += 1;
      return;
    }
    if (this.#dropped > 0) this.#stream.write(`landline: ${this.#dropped} notes were lost, as nobody read them\n`);
    this.#dropped = 0;
    this.#stream.write(`${safeText(text)}\n`);
  }
}

const errors = new Notes(process.stderr);
const announcements = new Notes(process.stdout);
let show = (text: string): void => errors.write(text);

/** Tells the user something that is not data: on standard error, or above the prompt while there is one. */
export function note(text: string): void {
  show(text);
}

/** Tells what a server does, where nothing is wrong: on standard output. */
export function announce(text: string): void {
  announcements.write(text);
}

/** Sends notes elsewhere. @returns what sends them back. */
export function redirectNotes(to: (text: string) => void): () => void {
  const before = show;
  show = to;
  return () => {
    show = before;
  };
}

/** Keeps both output streams from ending or blocking the process. Who depends on what is written awaits it. */
export function guardOutputs(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", () => undefined);
    // Node waits for a terminal, also for one that was stopped with Ctrl-S; for pipes it does not. No public way to say so.
    const { _handle: handle } = stream as { _handle?: { setBlocking?(isBlocking: boolean): void } };
    if (stream.isTTY) handle?.setBlocking?.(false);
  }
}

/** Shows Node's warnings as notes: its own way blocks where nobody reads, and prints what a peer may have worded. */
export function showWarnings(): void {
  if (process.listenerCount("warning") === 0) return; // NODE_NO_WARNINGS
  process.removeAllListeners("warning");
  process.on("warning", ({ name, message, detail }: Error & { readonly detail?: string }) => {
    note(`landline: ${name}: ${safeLine(message)}${detail === undefined ? "" : `\n${detail}`}`);
  });
}

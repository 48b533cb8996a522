import { once } from "node:events";
import readline from "node:readline";
import { styleText } from "node:util";
import { redirectNotes } from "./notes.ts";
import { safeLine, safeText } from "./safe-text.ts";

/** Callbacks of a {@link Prompt}. */
export interface PromptHandlers {
  /** A line was entered. */
  line(line: string): void;
  /** The user ended the input (Ctrl-D). */
  end(): void;
  /** A key was pressed. `line` is the current text. */
  typed?(line: string): void;
  /** Returns what the word before the cursor may stand for (Tab). */
  complete?(word: string): Promise<readonly string[]>;
}

/** Options for {@link Prompt}. */
export interface PromptOptions {
  /** Erase an entered line, for callers that print it in another form. @default false */
  readonly isLineErased?: boolean;
}

/**
 * An input line at the bottom of the terminal, with history and editing. Output appears above it. Ctrl-C raises SIGINT
 * in this process.
 */
export class Prompt {
  readonly #interface: readline.Interface;
  readonly #handlers: PromptHandlers;
  readonly #restoreNotes: () => void;
  #text: string;
  #status = "";
  #isClosed = false;

  constructor(text: string, handlers: PromptHandlers, options: PromptOptions = {}) {
    this.#text = text;
    this.#handlers = handlers;
    this.#interface = readline.createInterface({
      input: process.stdin,
      output: process.stdout,
      prompt: text,
      ...(handlers.complete && { completer: this.#complete }),
      historySize: 200,
      removeHistoryDuplicates: true,
    });
    this.#restoreNotes = redirectNotes((note) => this.#print(dim(safeText(note))));
    this.#interface.on("line", (line) => {
      if (options.isLineErased) this.#eraseEntered(line);
      handlers.line(line);
      if (!this.#isClosed) this.#interface.prompt();
    });
    this.#interface.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
    this.#interface.on("close", () => {
      if (this.#isClosed) return;
      this.close();
      handlers.end();
    });
    process.stdin.on("keypress", this.#keyPressed);
    this.#interface.prompt();
  }

  /** Sets the text before the input. */
  setText(text: string): void {
    this.#text = safeLine(text);
    this.#redraw();
  }

  /** Sets the status line above the input; `""` removes it. */
  setStatus(status: string): void {
    const safe = safeLine(status);
    if (safe === this.#status) return;
    this.#status = safe;
    this.#redraw();
  }

  /** Prints safe text above the input line. */
  print(text: string): void {
    this.#print(safeText(text));
  }

  /** Number of printed bytes that the terminal has not taken. It can be slow, or stopped with Ctrl-S. */
  get unreadBytes(): number {
    return process.stdout.writableLength;
  }

  /** Waits until the terminal has taken what was printed, unless that is little. Rejects when the signal aborts. */
  async drained(signal: AbortSignal): Promise<void> {
    if (process.stdout.writableNeedDrain) await once(process.stdout, "drain", { signal });
  }

  /** Removes the prompt and releases the terminal. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    process.stdin.off("keypress", this.#keyPressed);
    this.#erase();
    this.#interface.close();
    this.#restoreNotes();
  }

  #print(text: string): void {
    if (text === "") return;
    const lines = text.endsWith("\n") ? text : `${text}\n`;
    if (this.#isClosed) {
      process.stdout.write(lines);
      return;
    }
    this.#erase();
    process.stdout.write(lines);
    this.#interface.prompt(true);
  }

  /** Readline writes the words to the terminal, so those that are not safe are left out. It reads no keys meanwhile. */
  readonly #complete: readline.AsyncCompleter = (line, done) => {
    const word = /\S*$/.exec(line)?.[0] ?? "";
    const found = word === "" ? [] : this.#handlers.complete?.(word);
    void Promise.resolve(found)
      .catch(() => [])
      .then((words = []) => done(null, [words.filter((each) => /^\S+$/.test(each) && safeLine(each) === each), word]));
  };

  readonly #keyPressed = (): void => {
    this.#handlers.typed?.(this.#interface.line);
  };

  #redraw(): void {
    if (this.#isClosed) return;
    this.#erase();
    // Readline supports prompts of several lines.
    const status = this.#status === "" ? "" : `${dim(this.#status)}\n`;
    this.#interface.setPrompt(`${status}${this.#text}`);
    this.#interface.prompt(true);
  }

  /** Clears all rows of the prompt and its input. */
  #erase(): void {
    const { rows } = this.#interface.getCursorPos();
    readline.moveCursor(process.stdout, 0, -rows);
    readline.cursorTo(process.stdout, 0);
    readline.clearScreenDown(process.stdout);
    // Else readline moves up to the old prompt and overwrites the new output.
    (this.#interface as { prevRows?: number }).prevRows = 0;
  }

  #eraseEntered(line: string): void {
    // Readline has no public function for the width of text, so let it measure the line once more.
    const editor = this.#interface as { line: string; cursor: number };
    editor.line = line;
    editor.cursor = line.length;
    const { rows } = this.#interface.getCursorPos();
    editor.line = "";
    editor.cursor = 0;
    readline.moveCursor(process.stdout, 0, -rows - 1);
    readline.cursorTo(process.stdout, 0);
    readline.clearScreenDown(process.stdout);
  }
}

function dim(text: string): string {
  return styleText("dim", text, { stream: process.stdout });
}

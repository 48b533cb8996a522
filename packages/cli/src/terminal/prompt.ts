import readline from "node:readline";
import { styleText } from "node:util";
import { redirectNotes } from "./notes.ts";

/** What a {@link Prompt} tells its owner. */
export interface PromptHandlers {
  /** A line was entered. */
  line(line: string): void;
  /** The user ended the input (Ctrl-D). */
  end(): void;
}

/** Options for {@link Prompt}. */
export interface PromptOptions {
  /** Take an entered line off the screen, for those who print it in their own way. @default false */
  readonly isLineErased?: boolean;
}

/**
 * A line to type in at the bottom of the terminal, with history and editing; what is printed meanwhile appears above
 * it. Ctrl-C is passed on as the process's own.
 */
export class Prompt {
  readonly #interface: readline.Interface;
  readonly #restoreNotes: () => void;
  #isClosed = false;

  constructor(text: string, handlers: PromptHandlers, options: PromptOptions = {}) {
    this.#interface = readline.createInterface({
      input: process.stdin,
      output: process.stdout,
      prompt: text,
      historySize: 200,
      removeHistoryDuplicates: true,
    });
    this.#restoreNotes = redirectNotes((note) => this.print(styleText("dim", note, { stream: process.stdout })));
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
    this.#interface.prompt();
  }

  /** Changes the text in front of the line. */
  setText(text: string): void {
    this.#interface.setPrompt(text);
    if (!this.#isClosed) this.#interface.prompt(true);
  }

  /** Prints above the line that is being typed; the text must be safe for a terminal. */
  print(text: string): void {
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

  /** Takes the prompt away and gives the terminal back. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#erase();
    this.#interface.close();
    this.#restoreNotes();
  }

  /** Clears the prompt and what is typed behind it, over all rows it takes. */
  #erase(): void {
    const { rows } = this.#interface.getCursorPos();
    readline.moveCursor(process.stdout, 0, -rows);
    readline.cursorTo(process.stdout, 0);
    readline.clearScreenDown(process.stdout);
  }

  #eraseEntered(line: string): void {
    // Readline alone knows how wide the characters are: let it measure the line once more.
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

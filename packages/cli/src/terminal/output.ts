import { styleText } from "node:util";
import { CommandFailed, OutputClosed } from "./exit.ts";
import { SafeTextDecoder, safeText } from "./safe-text.ts";
import { systemReason } from "./system-reason.ts";

/** Where {@link Output} writes. */
export interface OutputStream {
  readonly isTTY?: boolean;
  write(data: Uint8Array | string, written: (error?: Error | null) => void): boolean;
}

/**
 * Standard output, for results. Bytes are written unchanged to a pipe or file, and as safe text to a terminal. Text is
 * always safe text.
 */
export class Output {
  readonly #stream: OutputStream;
  readonly #decoder: SafeTextDecoder | undefined;
  #isLineOpen = false;

  constructor(stream: OutputStream = process.stdout) {
    this.#stream = stream;
    if (stream.isTTY) this.#decoder = new SafeTextDecoder();
  }

  /**
   * Writes bytes. Resolves when the stream has taken them.
   *
   * @throws {OutputClosed} when the reader of standard output is gone.
   * @throws {CommandFailed} when writing fails for another reason.
   */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#put(this.#decoder?.decode(bytes) ?? bytes);
  }

  /** Prints one or more lines and adds the last line feed. Rejects like {@link write}. */
  print(text: string, { isDim = false }: { readonly isDim?: boolean } = {}): Promise<void> {
    const safe = safeText(text);
    return this.#put(`${isDim ? styleText("dim", safe, { stream: process.stdout }) : safe}\n`);
  }

  /** At a terminal, flushes an incomplete character and ends the last line, so that the shell's prompt has its own line. */
  async end(): Promise<void> {
    if (this.#decoder === undefined) return;
    await this.#put(this.#decoder.end());
    if (this.#isLineOpen) await this.#put("\n");
  }

  #put(data: Uint8Array | string): Promise<void> {
    if (data.length === 0) return Promise.resolve();
    if (typeof data === "string") this.#isLineOpen = !data.endsWith("\n");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#stream.write(data, (error) => {
      if (error === undefined || error === null) resolve();
      else if ("code" in error && error.code === "EPIPE") reject(new OutputClosed());
      else reject(new CommandFailed(`Cannot write standard output: ${systemReason(error)}`, { cause: error }));
    });
    return promise;
  }
}

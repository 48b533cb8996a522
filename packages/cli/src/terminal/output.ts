import { OutputClosed } from "./exit.ts";
import { SafeTextDecoder } from "./safe-text.ts";

/** Where {@link Output} writes. */
export interface OutputStream {
  readonly isTTY?: boolean;
  write(data: Uint8Array | string, written: (error?: Error | null) => void): boolean;
}

/**
 * A peer's bytes on standard output: as they are into a pipe or a file, as safe text onto a terminal.
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
   * Resolves when the stream has it.
   *
   * @throws {OutputClosed} when nobody reads standard output any more.
   */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#put(this.#decoder?.decode(bytes) ?? bytes);
  }

  /** Completes a cut character, and on a terminal the last line, so that the shell's prompt stands on its own. */
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
      else reject("code" in error && error.code === "EPIPE" ? new OutputClosed() : error);
    });
    return promise;
  }
}

/** Prints a line of our own on standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

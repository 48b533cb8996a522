import { type Encoder, type Framing, WireFormat } from "./wire-format.ts";

/** Most formats in use at a time. A room is encoded once for each format of its members. */
const FORMATS_MAX = 64;

/** The wire formats in use. Each exists once, from its first connection to its last. */
export class WireFormats {
  readonly #formats = new Map<string, { readonly format: WireFormat; uses: number }>();

  /**
   * Returns the format for one more connection. Pair it with {@link release}. Returns `undefined` if a client
   * negotiated one more than the limit. Formats without capabilities are few, and always granted.
   */
  use(encoder: Encoder, framing: Framing): WireFormat | undefined {
    const format = new WireFormat(encoder, framing);
    let shared = this.#formats.get(format.key);
    if (shared === undefined) {
      if (format.isNegotiated && this.#formats.size >= FORMATS_MAX) return undefined;
      shared = { format, uses: 0 };
      this.#formats.set(format.key, shared);
    }
    shared.uses += 1;
    return shared.format;
  }

  release({ key }: WireFormat): void {
    const shared = this.#formats.get(key);
    if (shared === undefined) return;
    shared.uses -= 1;
    if (shared.uses === 0) this.#formats.delete(key);
  }
}

import type { Batch, Framing } from "../hub/mod.ts";

/** One text per line. */
export const lineFraming: Framing = {
  name: "lines",
  frame: (text) => Buffer.from(`${text}\n`),
  batch(texts) {
    const joined = `${texts.join("\n")}\n`;
    const bytes = Buffer.from(joined);
    const isAscii = bytes.length === joined.length;
    let end = 0;
    const ends = texts.map((text) => {
      end += (isAscii ? text.length : Buffer.byteLength(text)) + 1;
      return end;
    });
    return { bytes, ends };
  },
};

/** Each text after its length, as 4 bytes in network order. */
export const prefixFraming: Framing = headerFraming(
  "prefix",
  () => 4,
  (bytes, at, length) => bytes.writeUInt32BE(length, at),
);

/** Each text as an unmasked, final WebSocket text frame (RFC 6455, section 5.2). */
export const websocketFraming: Framing = headerFraming("websocket", websocketHeaderBytes, (bytes, at, length) => {
  bytes[at] = 0x81;
  if (length < 126) {
    bytes[at + 1] = length;
  } else if (length < 65_536) {
    bytes[at + 1] = 126;
    bytes.writeUInt16BE(length, at + 2);
  } else {
    bytes[at + 1] = 127;
    bytes.writeBigUInt64BE(BigInt(length), at + 2);
  }
});

function websocketHeaderBytes(length: number): number {
  if (length < 126) return 2;
  return length < 65_536 ? 4 : 10;
}

/** Frames with a header that holds the length. */
function headerFraming(
  name: string,
  headerBytes: (length: number) => number,
  writeHeader: (bytes: Buffer, at: number, length: number) => void,
): Framing {
  const batch = (texts: readonly string[]): Batch => {
    const lengths = texts.map((text) => Buffer.byteLength(text));
    let end = 0;
    const ends = lengths.map((length) => {
      end += headerBytes(length) + length;
      return end;
    });
    const bytes = Buffer.allocUnsafeSlow(end);
    for (let i = 0, at = 0; i < texts.length; i += 1) {
      const length = lengths[i] as number;
      writeHeader(bytes, at, length);
      bytes.write(texts[i] as string, at + headerBytes(length), length, "utf8");
      at = ends[i] as number;
    }
    return { bytes, ends };
  };
  return { name, frame: (text) => batch([text]).bytes, batch };
}

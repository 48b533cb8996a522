import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { SocketError } from "../errors.ts";
import { assertDecodes, codecSuite } from "../testing/mod.ts";
import { lengthPrefixed } from "./length-prefixed.ts";
import { lines } from "./lines.ts";
import { mapped } from "./mapped.ts";

const numbers = mapped(lines({ bytesMax: 8 }), {
  decode: (line) => {
    if (!/^-?\d+$/.test(line)) throw new TypeError(`no number: ${line}`);
    return Number(line);
  },
  encode: (number: number) => `${number}`,
});

codecSuite(
  "mapped() lines",
  numbers,
  [
    { bytes: "1\n22\n-3\n", frames: [1, 22, -3] },
    { bytes: "1\n2\nthree\n4\n", frames: [1, 2], error: "malformed" },
    { bytes: "1\nthree\nlonger than it may be\n", frames: [1], error: "malformed" },
    { bytes: "1\nlonger than it may be\nthree\n", frames: [1], error: "frame-too-long" },
    { bytes: "1\nlast", frames: [1], error: "malformed" },
  ],
  { tooLong: ["1234567890"], unfinished: "frame" },
);

const checked = mapped(lengthPrefixed({ bytesMax: 12 }), {
  decode: (frame) => {
    const bytes = Buffer.from(frame);
    if (bytes.length < 4 || bytes.readUInt32BE() !== crc32(bytes.subarray(4))) throw new Error("wrong checksum");
    return bytes.toString("latin1", 4);
  },
  encode: (text: string) => {
    const bytes = Buffer.from(`\0\0\0\0${text}`);
    bytes.writeUInt32BE(crc32(text));
    return bytes;
  },
});

codecSuite(
  "mapped() with a checksum",
  checked,
  [
    {
      bytes: Buffer.concat(["one", "", "three"].map((text) => Buffer.from(checked.encode(text) as Uint8Array))),
      frames: ["one", "", "three"],
    },
    { bytes: Buffer.from("000000080000000061626364", "hex"), frames: [], error: "malformed" },
  ],
  { tooLong: [Buffer.from("0000000d", "hex")] },
);

test("mapped() throws malformed with the error of decode() as the cause, and passes a SocketError on", () => {
  assert.throws(() => numbers.decoder().decode(Buffer.from("x\n")), {
    code: "malformed",
    message: "Cannot read frame: it was refused (see cause)",
    operation: "decode",
    cause: new TypeError("no number: x"),
  });
  const refused = new SocketError("limit", "Cannot read record: no more of these");
  const picky = mapped(lines(), {
    decode: () => {
      throw refused;
    },
    encode: (line: string) => line,
  });
  assert.throws(
    () => picky.decoder().decode(Buffer.from("x\n")),
    (error) => error === refused,
  );
});

test("mapped() rethrows the error of encode(), and handles falsy thrown values", () => {
  const silent = mapped(lines(), {
    decode: (): string => {
      throw undefined;
    },
    encode: (): string => {
      throw new RangeError("no");
    },
  });
  assert.throws(() => silent.encode("x"), RangeError);
  assertDecodes(silent, "x\ny\n", [{ error: "malformed" }]);
});

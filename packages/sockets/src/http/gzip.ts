import { crc32, createInflateRaw } from "node:zlib";
import { SocketError } from "../errors.ts";
import type { Chunks, CompressedBytes } from "./compressed-bytes.ts";
import { decompressOne } from "./decompressor.ts";

/** Each costs about 100 microseconds, and can be as short as 20 bytes. */
const MEMBERS_MAX = 4_096;
const TRAILER_BYTES = 8;
/** RFC 1952, section 2.3.1. */
const FLAGS = { headerChecksum: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;

/**
 * Undoes gzip: RFC 1952, one member or several. Bytes behind a member that do not begin another one are left in
 * `source`, as browsers do; `node:zlib`'s own would refuse all the data for them.
 *
 * @throws {SocketError} `malformed`, `end-of-stream`, `limit`; what reading `source` throws.
 */
export async function* gunzip(source: CompressedBytes, chunkSize: number): Chunks {
  for (let members = 0; members === 0 || (await hasMember(source)); members += 1) {
    if (members === MEMBERS_MAX) {
      const text = `Cannot read HTTP response: ${source.what} has more than ${MEMBERS_MAX} members`;
      throw new SocketError("limit", text, { operation: "decompress" });
    }
    await skipHeader(source);
    let checksum = 0;
    let bytes = 0;
    for await (const chunk of decompressOne(source, createInflateRaw({ chunkSize }))) {
      checksum = crc32(chunk, checksum);
      bytes += chunk.length;
      yield chunk;
    }
    const trailer = Buffer.from(await source.take(TRAILER_BYTES));
    const isRight = trailer.readUInt32LE(0) === checksum && trailer.readUInt32LE(4) === bytes % 2 ** 32;
    if (!isRight) throw source.malformed("does not match its checksum");
  }
}

async function hasMember(source: CompressedBytes): Promise<boolean> {
  const [id1, id2, method] = await source.peek(3);
  return id1 === 0x1f && id2 === 0x8b && method === 8;
}

/** Passes over a member's header: RFC 1952, section 2.3. Nothing of it is used, so its checksum is not looked at. */
async function skipHeader(source: CompressedBytes): Promise<void> {
  const [id1, id2, method, flags = 0] = await source.peek(4);
  if (id1 !== 0x1f || (id2 ?? 0x8b) !== 0x8b || (method ?? 8) !== 8 || (flags & FLAGS.reserved) !== 0) {
    throw source.malformed("does not begin as gzip");
  }
  await source.take(10);
  if (flags & FLAGS.extra) {
    const length = Buffer.from(await source.take(2)).readUInt16LE(0);
    await source.take(length);
  }
  if (flags & FLAGS.name) await skipText(source);
  if (flags & FLAGS.comment) await skipText(source);
  if (flags & FLAGS.headerChecksum) await source.take(2);
}

/** Passes over text that a zero ends, however long it is. */
async function skipText(source: CompressedBytes): Promise<void> {
  for (;;) {
    const chunk = await source.next();
    if (chunk === undefined) throw source.cutOff();
    const end = chunk.indexOf(0);
    if (end === -1) continue;
    source.unread(chunk.subarray(end + 1));
    return;
  }
}

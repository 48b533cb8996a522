import { crc32, createInflateRaw } from "node:zlib";
import { SocketError } from "../errors.ts";
import type { Chunks, CompressedBytes } from "./compressed-bytes.ts";
import { decompressOne } from "./decompressor.ts";

/** Maximum number of members. Each costs about 100 microseconds and can be as short as 20 bytes. */
const MEMBERS_MAX = 4_096;
const TRAILER_BYTES = 8;
/** RFC 1952, section 2.3.1. */
const FLAGS = { headerChecksum: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;

/**
 * Decompresses gzip (RFC 1952) with one or several members. Bytes after a member that do not begin another one stay in
 * `source`, as in browsers. `node:zlib` would reject all data because of them.
 *
 * @throws {SocketError} `malformed` when a header or checksum is wrong.
 * @throws {SocketError} `end-of-stream` when the data is cut off.
 * @throws {SocketError} `limit` for more than 4,096 members.
 * @throws what reading `source` throws.
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

/** Skips the header of a member: RFC 1952, section 2.3. Its fields are not used, so its checksum is not verified. */
async function skipHeader(source: CompressedBytes): Promise<void> {
  const [id1, id2, method, flags = 0] = await source.peek(4);
  if (id1 !== 0x1f || (id2 ?? 0x8b) !== 0x8b || (method ?? 8) !== 8 || (flags & FLAGS.reserved) !== 0) {
    throw source.malformed("does not begin with a gzip header");
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

/** Skips zero-terminated text of any length. */
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

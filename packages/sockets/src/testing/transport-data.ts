/** More bytes than a transport buffers: the kernel buffers of both ends, and those of a proxy between them. */
export const FLOOD_BYTES: number = 48 * 1024 * 1024;

export function textOf(bytes: Uint8Array | null): string {
  return bytes === null ? "(end)" : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

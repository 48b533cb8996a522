/** More than a transport stores on its way: the kernel's buffers of both ends of TCP, and of a proxy's between them. */
export const FLOOD_BYTES: number = 48 * 1024 * 1024;

export function textOf(bytes: Uint8Array | null): string {
  return bytes === null ? "(end)" : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

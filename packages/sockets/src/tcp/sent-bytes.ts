import type { Duplex } from "node:stream";

/** Undocumented fields of Node's stream handles. */
interface StreamHandle {
  /** Bytes handed to the handle so far. */
  readonly bytesWritten?: number;
  /** Bytes of those that the kernel has not taken. */
  readonly writeQueueSize?: number;
  /** The TCP handle below a TLS one. */
  readonly _parent?: StreamHandle | null;
}

/**
 * Number of bytes of a stream that the kernel has taken, also within one large write. Over TLS these are encrypted
 * bytes. Streams without a Node handle count whole writes.
 */
export function sentBytes(stream: Duplex): number {
  const { _handle: own, bytesWritten = 0 } = stream as { _handle?: StreamHandle | null; bytesWritten?: number };
  const handle = own?._parent ?? own;
  if (handle?.bytesWritten !== undefined && handle.writeQueueSize !== undefined) {
    return handle.bytesWritten - handle.writeQueueSize;
  }
  return bytesWritten - stream.writableLength;
}

import type { Duplex } from "node:stream";

/** The fields of Node's handles that are read here: Node does not document them. */
interface StreamHandle {
  /** Bytes handed to the handle so far. */
  readonly bytesWritten?: number;
  /** Of those, the bytes that the kernel has not taken. */
  readonly writeQueueSize?: number;
  /** The TCP handle below a TLS one. */
  readonly _parent?: StreamHandle | null;
}

/**
 * Bytes of a stream that the kernel has taken: rises with every byte that leaves, also in the middle of one large write.
 * Over TLS these are encrypted bytes. Where Node does not tell, it rises with every write that is done.
 */
export function sentBytes(stream: Duplex): number {
  const { _handle: own, bytesWritten = 0 } = stream as { _handle?: StreamHandle | null; bytesWritten?: number };
  const handle = own?._parent ?? own;
  if (handle?.bytesWritten !== undefined && handle.writeQueueSize !== undefined) {
    return handle.bytesWritten - handle.writeQueueSize;
  }
  return bytesWritten - stream.writableLength;
}

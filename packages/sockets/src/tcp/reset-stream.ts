import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/**
 * Breaks a stream at once: TCP sends RST, other streams are destroyed. TLS has no reset of its own, so the TCP socket
 * `below` it is reset.
 */
export function resetStream(stream: Duplex, below: Duplex = stream): void {
  if (stream.destroyed) return;
  // libuv refuses to reset while a FIN is being sent, and Node then never closes the socket. The FIN is sent by the
  // next turn of the event loop, unless the peer has no room for the `close_notify` of TLS.
  if (stream.writableEnded && !stream.writableFinished && stream.writableLength === 0) {
    setImmediate(() => {
      if (stream.writableFinished) resetStream(stream, below);
      else stream.destroy();
    });
    return;
  }
  if (below === stream) {
    resetSocket(stream);
    return;
  }
  // Destroy the TLS socket first. If the socket below is already gone, Node frees OpenSSL's state as soon as the TLS
  // socket is written to or destroyed. The process crashes if OpenSSL is still on the call stack, as it is in all code
  // that runs at the end of a handshake.
  below.destroy = () => {
    Reflect.deleteProperty(below, "destroy");
    return resetSocket(below);
  };
  stream.destroy();
}

function resetSocket(stream: Duplex): Duplex {
  // Node would wait until the socket is connected, which may take minutes.
  if ((stream as Partial<Socket>).connecting) return stream.destroy();
  try {
    return (stream as Socket).resetAndDestroy();
  } catch {
    // `resetAndDestroy` throws for Unix sockets; other streams do not have it.
    return stream.destroy();
  }
}

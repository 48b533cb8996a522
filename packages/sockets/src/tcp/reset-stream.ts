import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/**
 * Breaks a stream at once, without waiting for anything: TCP sends RST; what cannot reset is destroyed. TLS has no reset
 * of its own, but the TCP socket `below` it has.
 */
export function resetStream(stream: Duplex, below: Duplex = stream): void {
  if (stream.destroyed) return;
  // While a FIN is on its way libuv refuses to reset, and Node then loses the socket: it never closes. The FIN is gone
  // with the next turn of the event loop, unless the peer has no room for the last word of TLS.
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
  // TLS goes first. Where the socket below it is gone already, Node frees OpenSSL's state at once when the TLS socket is
  // written to or destroyed, and the process dies if OpenSSL is using it, as in all code that runs when a handshake is done.
  below.destroy = () => {
    Reflect.deleteProperty(below, "destroy");
    return resetSocket(below);
  };
  stream.destroy();
}

function resetSocket(stream: Duplex): Duplex {
  // Node would wait until it is connected, which may take minutes.
  if ((stream as Partial<Socket>).connecting) return stream.destroy();
  try {
    return (stream as Socket).resetAndDestroy();
  } catch {
    // A Unix socket, or no socket at all.
    return stream.destroy();
  }
}

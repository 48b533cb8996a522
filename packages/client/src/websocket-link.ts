import type { OpenLink } from "./link.ts";

/**
 * Opens links over WebSocket, one message per text frame. Uses the global `WebSocket` of browsers and Node.
 *
 * @param url `ws:` or `wss:`, for example `wss://chat.example.com/ws`.
 *
 * @example
 * ```ts
 * const client = new ChatClient(websocketLink("ws://localhost:8083/ws"));
 * ```
 */
export function websocketLink(url: string | URL): OpenLink {
  return async (handlers, signal) => {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<OpenLink>>>();
    const socket = new WebSocket(url);
    const listening = new AbortController();
    const on = { signal: listening.signal };
    let isOpen = false;

    const end = (error: Error | undefined) => {
      listening.abort();
      signal.removeEventListener("abort", abort);
      socket.close();
      if (isOpen) handlers.close(error);
      else reject(signal.aborted ? error : cannotConnect(socket.url, error));
    };
    const abort = () => end(signal.reason);
    signal.addEventListener("abort", abort, { once: true });

    socket.addEventListener(
      "open",
      () => {
        isOpen = true;
        signal.removeEventListener("abort", abort);
        resolve({
          send: (text) => {
            if (socket.readyState === WebSocket.OPEN) socket.send(text);
          },
          close: () => {
            listening.abort();
            socket.close();
          },
        });
      },
      on,
    );
    socket.addEventListener("message", ({ data }) => handlers.message(String(data)), on);
    // Browsers hide the cause of an error. The close event that follows holds at most a code.
    socket.addEventListener("close", ({ code, reason }) => end(closeError(code, reason)), on);
    return promise;
  };
}

function cannotConnect(url: string, cause: Error | undefined): Error {
  return new Error(`Cannot connect to ${url}: ${cause?.message ?? "the server closed the connection"}`, { cause });
}

/** 1000 and 1001 are normal ends. 1006 is an end without a close frame (RFC 6455, section 7.4.1). */
function closeError(code: number, reason: string): Error | undefined {
  if (code === 1000 || code === 1001) return undefined;
  if (code === 1006) return new Error("the connection was lost");
  return new Error(`WebSocket closed with code ${code}${reason === "" ? "" : ` (${reason})`}`);
}

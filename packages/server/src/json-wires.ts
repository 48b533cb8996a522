import { isUtf8 } from "node:buffer";
import { json, lengthPrefixed, SocketError } from "@landline/sockets";
import type { ChatLimits } from "./core/mod.ts";
import { INVALID_JSON, RequestReader, version1 } from "./dialects/json/mod.ts";
import { lineFraming, prefixFraming } from "./gateways/framing.ts";
import { beginning, jsonOpening, prefixOpening } from "./gateways/opening.ts";
import type { StreamDialect } from "./gateways/stream.ts";
import type { WebSocketDialect } from "./gateways/websocket.ts";

/** JSON values as lines or back to back, split at any byte. */
export function jsonLines({ frameBytesMax }: ChatLimits): StreamDialect {
  return {
    codec: beginning(jsonOpening, json({ bytesMax: frameBytesMax, invalid: "skip", parse: (text) => text })),
    encoder: version1,
    framing: lineFraming,
    reader(receive) {
      const reader = new RequestReader(receive);
      return (frame) => (frame instanceof SocketError ? receive(INVALID_JSON) : reader.read(frame as string));
    },
  };
}

/** Each JSON text after its length, as in the tutorial's `send_with_length`. */
export function jsonPrefixed({ frameBytesMax }: ChatLimits): StreamDialect {
  return {
    codec: beginning(prefixOpening, lengthPrefixed({ bytesMax: frameBytesMax })),
    encoder: version1,
    framing: prefixFraming,
    reader(receive) {
      const reader = new RequestReader(receive);
      return (frame) => {
        const bytes = Buffer.from(frame as Uint8Array);
        return isUtf8(bytes) ? reader.read(bytes.toString()) : receive(INVALID_JSON);
      };
    },
  };
}

/** One JSON text per WebSocket message. */
export const jsonMessages: WebSocketDialect = {
  encoder: version1,
  reader(receive) {
    const reader = new RequestReader(receive);
    return (text) => reader.read(text);
  },
};

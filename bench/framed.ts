// Framed echo: 64-byte messages with a 4-byte length, 16 connections, 256 messages in flight each. Every variant decodes
// each frame and writes a response, except "headers only", which reads the headers and returns the bytes as received.
// Run: node --conditions=@landline/source bench/framed.ts [--load PATH] [--peers DIR] [--rounds 7] [--seconds 2]
import net, { type Socket } from "node:net";
import { framed, lengthPrefixed, serve } from "@landline/sockets";
import { options, printTable, takeTurns } from "./measure.ts";
import { importPeer, nativePeer, PEER_FLAGS } from "./peers.ts";
import { listen, measureServer, portOf, type Role, takeRole } from "./processes.ts";

const host = "127.0.0.1";
const HEADER_BYTES = 4;
const EMPTY = Buffer.alloc(0);

const servers: Record<string, Role> = {
  "by hand, usual": () => listenWith(echoUsually),
  "by hand, careful": () => listenWith(echoCarefully),
  "by hand, headers only": () => listenWith(echoHeadersOnly),
  "framed, batches, send": async () =>
    portOf(
      await serve({ host }, async (connection) => {
        const channel = framed(connection, lengthPrefixed());
        for await (const frames of channel.batches()) for (const frame of frames) channel.send(frame);
      }),
    ),
  "framed, batches, sendBatch": async () =>
    portOf(
      await serve({ host }, async (connection) => {
        const channel = framed(connection, lengthPrefixed());
        for await (const frames of channel.batches()) channel.sendBatch(frames);
      }),
    ),
  "decoder in data, one send a batch": async () => {
    const decoders = new WeakMap<object, ReturnType<typeof codec.decoder>>();
    const codec = lengthPrefixed();
    return portOf(
      await serve(
        { host },
        {
          open: (connection) => void decoders.set(connection, codec.decoder()),
          data: (connection, chunk) => {
            const frames = decoders.get(connection)?.decode(chunk) ?? [];
            if (frames.length > 0) connection.send(joined(frames));
          },
        },
      ),
    );
  },
};

const peers: Record<string, Role> = {
  ...nativePeer("tokio-framed"),
  ...nativePeer("go-framed"),
  "frame-stream": async () => {
    const { default: frameStream } = await importPeer("frame-stream");
    return listenWith((socket) => void socket.pipe(frameStream.decode()).pipe(frameStream.encode()).pipe(socket));
  },
  "it-length-prefixed": async () => {
    const { decode, encode } = await importPeer("it-length-prefixed");
    // Its default length header is a varint. These options select 4 bytes.
    const lengthDecoder = Object.assign((bytes: { getUint32(at: number): number }) => bytes.getUint32(0), { bytes: 4 });
    const lengthEncoder = Object.assign(lengthOf, { bytes: 4 });
    return listenWith(async (socket) => {
      try {
        for await (const part of encode(decode(socket, { lengthDecoder }), { lengthEncoder })) socket.write(part);
      } catch {
        // The load generator has disconnected.
      }
    });
  },
};

/** What most programs do: one buffer, `Buffer.concat` per chunk and a write per frame. */
function echoUsually(socket: Socket): void {
  let rest: Buffer = EMPTY;
  socket.on("data", (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= HEADER_BYTES) {
      const length = rest.readUInt32BE(0);
      if (rest.length < HEADER_BYTES + length) break;
      const frame = rest.subarray(HEADER_BYTES, HEADER_BYTES + length);
      rest = rest.subarray(HEADER_BYTES + length);
      socket.write(Buffer.concat([lengthOf(frame.length), frame]));
    }
  });
}

/** Joins only frames that span two chunks, and copies all responses of a chunk into one write. */
function echoCarefully(socket: Socket): void {
  forWholeFrames(socket, (bytes) => {
    const answers = Buffer.allocUnsafe(bytes.length);
    for (let at = 0; at < bytes.length; ) {
      const length = bytes.readUInt32BE(at);
      const frame = bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length);
      answers.writeUInt32BE(length, at);
      answers.set(frame, at + HEADER_BYTES);
      at += HEADER_BYTES + length;
    }
    socket.write(answers);
  });
}

/** The minimum work: finds the frame boundaries and echoes the bytes unchanged. */
function echoHeadersOnly(socket: Socket): void {
  forWholeFrames(socket, (bytes) => void socket.write(bytes));
}

/** Calls `take` with runs of complete frames. Copies only a frame that spans two chunks, and passes it by itself. */
function forWholeFrames(socket: Socket, take: (bytes: Buffer) => void): void {
  let rest: Buffer = EMPTY;
  socket.on("data", (chunk) => {
    let start = 0;
    if (rest.length > 0) {
      const header = Buffer.concat([rest, chunk.subarray(0, HEADER_BYTES)]);
      const end = header.length < HEADER_BYTES ? chunk.length : HEADER_BYTES + header.readUInt32BE(0) - rest.length;
      rest = Buffer.concat([rest, chunk.subarray(0, end)]);
      if (header.length < HEADER_BYTES || end > chunk.length) return;
      take(rest);
      start = end;
    }
    const end = endOfFrames(chunk, start);
    if (end > start) take(chunk.subarray(start, end));
    rest = chunk.subarray(end);
  });
}

function endOfFrames(bytes: Buffer, start: number): number {
  let at = start;
  while (at + HEADER_BYTES <= bytes.length) {
    const end = at + HEADER_BYTES + bytes.readUInt32BE(at);
    if (end > bytes.length) break;
    at = end;
  }
  return at;
}

/** Concatenates frames, each with its length header. */
function joined(frames: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.allocUnsafe(frames.reduce((sum, frame) => sum + HEADER_BYTES + frame.length, 0));
  let at = 0;
  for (const frame of frames) {
    bytes.writeUInt32BE(frame.length, at);
    bytes.set(frame, at + HEADER_BYTES);
    at += HEADER_BYTES + frame.length;
  }
  return bytes;
}

function lengthOf(length: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32BE(length);
  return header;
}

function listenWith(echo: (socket: Socket) => void): Promise<{ port: number }> {
  return listen(
    net.createServer({ noDelay: true }, (socket) => {
      socket.on("error", () => undefined);
      echo(socket);
    }),
  );
}

if (!(await takeRole({ ...servers, ...peers }))) {
  const names = Object.keys(options.peers === undefined ? servers : { ...servers, ...peers });
  const load = ["-f", "-c", "16", "-b", "64", "-q", "256"];
  const samples = await takeTurns(names, (name) => measureServer([name], load, PEER_FLAGS));
  printTable("64 bytes with a 4-byte length, 16 connections, 256 in flight each", samples, "by hand, careful");
}

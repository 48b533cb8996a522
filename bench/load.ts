// A closed-loop load generator: for D seconds, C connections keep Q messages of B bytes in flight each. Compares every
// byte of the echo. With -f each message has a 4-byte length header. With -U each message is a datagram.
// Run: node bench/load.ts -p PORT [-c 64] [-b 64] [-q 1] [-d 2] [-f] [-U]
import dgram from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import { parseArgs } from "node:util";

const READ_BYTES = 65_536;
/** The longest wait for the messages in flight at the end. */
const LAST_BYTES_MS = 1_000;

const { values } = parseArgs({
  options: {
    port: { type: "string", short: "p", default: "8080" },
    connections: { type: "string", short: "c", default: "64" },
    bytes: { type: "string", short: "b", default: "64" },
    depth: { type: "string", short: "q", default: "1" },
    seconds: { type: "string", short: "d", default: "2" },
    framed: { type: "boolean", short: "f", default: false },
    udp: { type: "boolean", short: "U", default: false },
  },
});
const port = Number(values.port);
const depth = Number(values.depth);
const unit = Number(values.bytes) + (values.framed ? 4 : 0);
const connections = Array.from({ length: Number(values.connections) });

/** The messages in flight, all different. */
const block = Buffer.concat(Array.from({ length: depth }, (_, index) => message(index)));
/** `block` repeated, so that each part of the stream is a slice. */
const pattern = Buffer.concat(Array.from({ length: 2 + Math.ceil(READ_BYTES / block.length) }, () => block));

let echoed = 0;
/** Bytes sent and not yet echoed. */
let inFlight = 0;
/** The result to print. Set when the time is over. */
let result: string | undefined;

const begin = values.udp ? await startUdp() : await startTcp();
const startedAt = performance.now();
for (const send of begin) send();
setTimeout(() => {
  result = `${((echoed * 1_000) / (performance.now() - startedAt)).toFixed(0)} msg/s`;
  setTimeout(() => fail(`LOST ${inFlight} bytes`), LAST_BYTES_MS);
}, Number(values.seconds) * 1_000);

/** Prints the result and exits when the time is over and nothing is in flight. */
function arrived(length: number): void {
  inFlight -= length;
  if (result === undefined || inFlight > 0) return;
  console.log(result);
  process.exit();
}

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}

async function startTcp(): Promise<(() => void)[]> {
  return await Promise.all(
    connections.map(async () => {
      let sent = 0;
      let received = 0;
      const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
      const send = (): void => {
        const more = (Math.floor(received / unit) + depth) * unit - sent;
        if (more === 0 || result !== undefined) return;
        const at = sent % block.length;
        socket.write(pattern.subarray(at, at + more));
        sent += more;
        inFlight += more;
      };
      const callback = (length: number): boolean => {
        const at = received % block.length;
        if (pattern.compare(buffer, 0, length, at, at + length) !== 0) fail("Wrong bytes in the echo");
        const whole = Math.floor(received / unit);
        received += length;
        echoed += Math.floor(received / unit) - whole;
        send();
        arrived(length);
        return true;
      };
      const socket = net.connect({ port, host: "127.0.0.1", noDelay: true, onread: { buffer, callback } });
      socket.on("close", () => fail("The server closed the connection"));
      await once(socket, "connect");
      return send;
    }),
  );
}

async function startUdp(): Promise<(() => void)[]> {
  return await Promise.all(
    connections.map(async () => {
      let sent = 0;
      let received = 0;
      const socket = dgram.createSocket("udp4");
      const send = (): void => {
        if (result !== undefined) return;
        const at = (sent % depth) * unit;
        sent += 1;
        inFlight += unit;
        socket.send(block.subarray(at, at + unit));
      };
      socket.on("message", (data) => {
        const at = (received % depth) * unit;
        if (data.length !== unit || block.compare(data, 0, unit, at, at + unit) !== 0)
          fail("A datagram is wrong or lost");
        received += 1;
        echoed += 1;
        send();
        arrived(unit);
      });
      socket.connect(port, "127.0.0.1");
      await once(socket, "connect");
      return () => {
        for (let index = 0; index < depth; index += 1) send();
      };
    }),
  );
}

function message(index: number): Buffer {
  const bytes = Buffer.alloc(unit, `message ${index}, `);
  if (values.framed) bytes.writeUInt32BE(unit - 4);
  return bytes;
}

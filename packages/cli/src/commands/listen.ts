import { bind, formatAddress, listen } from "@landline/sockets";
import type { Command } from "commander";
import { Callers, isInteractive, LINES_HELP, LINGER_MS, type Peer, TcpPeer, talk, UdpPeer } from "../talk/mod.ts";
import { Interrupted, interruptSignal, note, orOtherPort, parseListenPort } from "../terminal/mod.ts";

const EXAMPLES = `
Accepts one connection and exits when both sides have ended. At a terminal it exits when the peer closes.
With --keep-open, it accepts every connection, sends the input to all of them, and exits on Ctrl-C. It disconnects
a caller that takes nothing for 30 seconds.
With --udp, each read of the input is one datagram to the last sender. With --lines or at a terminal, each line is one.

Examples:
  landline listen 9000
  landline listen 9000 > received.bin
  landline listen --keep-open 0`;

interface ListenFlags {
  host: string;
  udp?: boolean;
  lines?: boolean;
  keepOpen?: boolean;
}

export function addListen(program: Command): void {
  program
    .command("listen")
    .description("wait for a TCP connection or UDP datagrams and exchange data")
    .argument("<port>", "port number; 0 selects a free port", parseListenPort)
    .option("--host <host>", "address to listen on", "localhost")
    .option("-u, --udp", "UDP instead of TCP")
    .option("--lines", LINES_HELP)
    .option("-k, --keep-open", "accept more than one connection")
    .addHelpText("after", EXAMPLES)
    .action(listenOn);
}

async function listenOn(port: number, flags: ListenFlags): Promise<void> {
  const interrupted = interruptSignal();
  try {
    const peer = flags.udp ? await awaitDatagrams(port, flags) : await awaitCallers(port, flags, interrupted);
    await talk(peer, interrupted);
  } catch (error) {
    // Without an end of its own, the command runs like a server: Ctrl-C is its normal end.
    const isEnd = error instanceof Interrupted && (flags.keepOpen || flags.udp);
    if (!isEnd) throw error;
  }
}

async function awaitDatagrams(port: number, { host, lines }: ListenFlags): Promise<Peer> {
  const socket = await orOtherPort(bind({ host, port }));
  note(`Listening on ${formatAddress(socket.address)} (UDP)`);
  const isInLines = lines || isInteractive();
  return new UdpPeer(socket, { name: "UDP", waitMs: Number.POSITIVE_INFINITY, isInLines });
}

async function awaitCallers(port: number, { host, keepOpen }: ListenFlags, signal: AbortSignal): Promise<Peer> {
  if (keepOpen) {
    const callers = await orOtherPort(Callers.listen({ host, port }));
    note(`Listening on ${formatAddress(callers.address)}`);
    return callers;
  }
  const listener = await orOtherPort(listen({ host, port, lingerMs: LINGER_MS }));
  note(`Listening on ${formatAddress(listener.address)}`);
  await using _untilOneCame = listener;
  const connection = await listener.accept({ signal });
  const name = connection.remote === undefined ? "the caller" : formatAddress(connection.remote);
  note(`Connection from ${name}`);
  return new TcpPeer(connection, name);
}

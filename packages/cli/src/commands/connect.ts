import { connect } from "@landline/sockets";
import { type Command, Option } from "commander";
import { connectUdp, isInteractive, LINGER_MS, type Peer, TcpPeer, talk, UdpPeer } from "../talk/mod.ts";
import { interruptSignal, note, parseDuration, parsePort } from "../terminal/mod.ts";

const EXAMPLES = `
At a terminal it asks for lines, and 'quit' ends it. In a pipe it copies bytes: the end of the input finishes our side,
and the end of the peer finishes all. With --udp each line is a datagram.

Examples:
  landline connect localhost 8080
  landline connect --udp localhost 8081
  printf 'GET / HTTP/1.0\\r\\n\\r\\n' | landline connect localhost 8083`;

interface ConnectFlags {
  udp?: boolean;
  timeout?: number;
  wait: number;
}

export function addConnect(program: Command): void {
  program
    .command("connect")
    .description("talk to a server")
    .argument("<host>", "a name or an address")
    .argument("<port>", "a port", parsePort)
    .option("-u, --udp", "UDP instead of TCP")
    .option("--timeout <time>", "how long connecting may take: 2, 500ms, 1m", parseDuration)
    .addOption(
      new Option("--wait <time>", "with --udp: how long answers are awaited after the end of the input")
        .argParser(parseDuration)
        .default(1_000, "1s"),
    )
    .addHelpText("after", EXAMPLES)
    .action(connectTo);
}

async function connectTo(host: string, port: number, flags: ConnectFlags): Promise<void> {
  const interrupted = interruptSignal();
  const peer = flags.udp
    ? await callUdp(host, port, flags)
    : await callTcp(host, port, { signal: interrupted, timeoutMs: flags.timeout });
  if (isInteractive()) note(`${flags.udp ? "Sending to" : "Connected to"} ${peer.name}`);
  await talk(peer, interrupted);
}

async function callTcp(
  host: string,
  port: number,
  options: { signal: AbortSignal; timeoutMs: number | undefined },
): Promise<Peer> {
  const connection = await connect({ host, port, lingerMs: LINGER_MS, ...options });
  return new TcpPeer(connection, nameOf(host, port));
}

async function callUdp(host: string, port: number, { wait }: ConnectFlags): Promise<Peer> {
  return new UdpPeer(await connectUdp({ host, port }), { name: nameOf(host, port), waitMs: wait });
}

function nameOf(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

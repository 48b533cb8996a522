import { connect } from "@landline/sockets";
import { type Command, Option } from "commander";
import { connectUdp, isInteractive, LINES_HELP, LINGER_MS, type Peer, TcpPeer, talk, UdpPeer } from "../talk/mod.ts";
import { DURATION_HELP, interruptSignal, note, parseAddress, parseDuration, parsePort } from "../terminal/mod.ts";

const EXAMPLES = `
At a terminal it asks for lines. Each line is sent with a line feed at its end, which the tutorial's Python client does
not send; with --udp each line is a datagram, without a line feed. 'quit' in lower case ends it, as do Ctrl-D, Ctrl-C and
the end of the peer. QUIT is sent like any other line; to send 'quit', use a pipe.

In a pipe it copies bytes until both sides have ended: the end of the input finishes our side, the end of the peer only
its own. It exits with 1 when the peer is gone while there is input. With --udp each read of the input is a datagram;
with --lines each line is one.

Examples:
  landline connect localhost 8080
  landline connect localhost:8080
  landline connect --udp localhost 8081
  echo quit | landline connect localhost 11211
  printf 'GET / HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' | landline connect localhost 8083`;

interface ConnectFlags {
  udp?: boolean;
  lines?: boolean;
  timeout?: number;
  wait: number;
}

interface CallOptions {
  signal: AbortSignal;
  timeoutMs: number | undefined;
}

export function addConnect(program: Command): void {
  program
    .command("connect")
    .description("talk to a server")
    .usage("[options] <host> <port>, or <host>:<port>")
    .argument("<host>", "a name or an address")
    .argument("[port]", "a port", parsePort)
    .option("-u, --udp", "UDP instead of TCP")
    .option("--lines", LINES_HELP)
    .option(
      "--timeout <time>",
      `how long connecting may take, with --udp the name lookup; ${DURATION_HELP}`,
      parseDuration,
    )
    .addOption(
      new Option(
        "--wait <time>",
        `with --udp: how long answers are awaited after the end of the input; ${DURATION_HELP}`,
      )
        .argParser(parseDuration)
        .default(1_000, "1s"),
    )
    .addHelpText("after", EXAMPLES)
    .action(connectTo);
}

async function connectTo(
  hostOrAddress: string,
  portAlone: number | undefined,
  flags: ConnectFlags,
  command: Command,
): Promise<void> {
  const isBoth = portAlone === undefined;
  const { host, port } = isBoth ? readAddress(hostOrAddress, command) : { host: hostOrAddress, port: portAlone };
  const interrupted = interruptSignal();
  const options = { signal: interrupted, timeoutMs: flags.timeout };
  const peer = flags.udp ? await callUdp(host, port, options, flags) : await callTcp(host, port, options);
  if (isInteractive()) note(`${flags.udp ? "Sending to" : "Connected to"} ${peer.name}`);
  await talk(peer, interrupted);
}

/** Host and port in one: known only when all arguments are, and so not read by a parser of Commander's. */
function readAddress(text: string, command: Command): { host: string; port: number } {
  try {
    return parseAddress(text);
  } catch (error) {
    return command.error(`error: Cannot connect to '${text}': ${(error as Error).message}`);
  }
}

async function callTcp(host: string, port: number, options: CallOptions): Promise<Peer> {
  const connection = await connect({ host, port, lingerMs: LINGER_MS, ...options });
  return new TcpPeer(connection, nameOf(host, port));
}

async function callUdp(host: string, port: number, options: CallOptions, { wait, lines }: ConnectFlags): Promise<Peer> {
  const socket = await connectUdp({ host, port }, options);
  return new UdpPeer(socket, { name: nameOf(host, port), waitMs: wait, isInLines: lines || isInteractive() });
}

function nameOf(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

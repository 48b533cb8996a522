import { connect } from "@landline/sockets";
import { type Command, Option } from "commander";
import { connectUdp, isInteractive, LINES_HELP, LINGER_MS, type Peer, TcpPeer, talk, UdpPeer } from "../talk/mod.ts";
import { DURATION_HELP, interruptSignal, note, parseAddress, parseDuration, parsePort } from "../terminal/mod.ts";

const EXAMPLES = `
At a terminal:
  Each line is sent with a line feed. With --udp, each line is one datagram without a line feed.
  'quit' in lower case, Ctrl-D and Ctrl-C end the command, as does the peer when it closes.
  'QUIT' is sent like any other line. To send 'quit', use a pipe.

In a pipe:
  Bytes are copied unchanged until both sides have ended. The end of the input closes only the sending side.
  The exit code is 1 when the peer disconnects while input remains.
  With --udp, each read of the input is one datagram; with --lines, each line is one.

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
    .description("connect to a TCP or UDP server and exchange data")
    .usage("[options] <host> <port>, or <host>:<port>")
    .argument("<host>", "host name or IP address")
    .argument("[port]", "port number", parsePort)
    .option("-u, --udp", "UDP instead of TCP")
    .option("--lines", LINES_HELP)
    .option(
      "--timeout <time>",
      `limit for connecting; with --udp, for the name lookup; ${DURATION_HELP}`,
      parseDuration,
    )
    .addOption(
      new Option("--wait <time>", `with --udp: time to wait for answers after the end of the input; ${DURATION_HELP}`)
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

/** Parses `HOST:PORT`. Not a Commander parser: whether the argument holds the port depends on the next argument. */
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

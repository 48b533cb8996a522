import { formatAddress, type UdpAddress } from "@landline/sockets";
import type { Command } from "commander";
import { EchoServices, type EchoServicesOptions } from "../echo/mod.ts";
import {
  announce,
  describeError,
  everyAddressLine,
  formatServices,
  ignoreHangUp,
  interruptSignal,
  localAddress,
  note,
  orOtherPort,
  safeLine,
  untilInterrupted,
} from "../terminal/mod.ts";
import { addServeFlags, loadServerConfig } from "./serve-flags.ts";

const EXAMPLES = `
'landline config' lists all settings. Those without a flag are set in the environment or in a JSON file.
Ctrl-C or SIGTERM stops the server: it notifies the clients and keeps every acknowledged message.

Examples:
  landline serve                 the web page is at http://localhost:8083/
  landline serve --port 0        a free port, which is printed
  landline serve --echo          with the three servers of 'landline echo'
  landline serve --host 0.0.0.0 --hosts chat.example.com
                                 reachable from other machines as http://chat.example.com:8083/
  LANDLINE_PING_MS=30s landline serve
                                 a setting from the environment`;

export function addServe(program: Command): void {
  const command = program.command("serve").description("start the chat server with its web page");
  addServeFlags(command).addHelpText("after", EXAMPLES).action(serveChat);
}

interface EchoFlags extends Omit<EchoServicesOptions, "host"> {
  echo?: boolean;
}

async function serveChat({ echo, ...echoPorts }: EchoFlags, command: Command): Promise<void> {
  if (!echo) refuseEchoPorts(command);
  const interrupted = interruptSignal();
  ignoreHangUp();
  const { config } = await loadServerConfig(command);
  // Loaded on demand: most commands do not need the server.
  const { RoomLogError, startServer } = await import("@landline/server");
  const reports = {
    onError: (error: unknown): void => {
      // A `failed` log ends the server; that error is reported at the end.
      if (!(error instanceof RoomLogError && error.code === "failed")) note(`landline: ${describeError(error)}`);
    },
    onRecovered: (): void => note("landline: Messages are stored again"),
  };
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await orOtherPort(startServer({ ...config, ...reports }), "--port"));
  const echoOptions = { ...echoPorts, host: config.host };
  const services = echo ? opened.adopt(await EchoServices.open(echoOptions), (each) => each.close()) : undefined;

  const address = localAddress(server.address as UdpAddress);
  const chat = {
    at: `http://${formatAddress(address)}/`,
    name: "chat and web page",
    tries: [`chat ${formatAddress(address)}`, `$ nc ${address.host} ${address.port}`],
  };
  announce(formatServices([chat, ...(services?.lines ?? [])]));
  const everyAddress = everyAddressLine((server.address as UdpAddress).host);
  if (everyAddress !== undefined) announce(`${everyAddress}; to open the page by a host name, see --hosts`);
  const isInMemory = config.data === undefined || config.durability === "memory";
  announce(
    isInMemory
      ? "Rooms are kept in memory only and are lost when the server stops"
      : `Rooms are kept in ${safeLine(config.data)}`,
  );
  const failure = await Promise.race([untilInterrupted(interrupted), server.failed]);
  // In parallel: each waits for its own clients.
  await Promise.all([server.close(), services?.close()]);
  if (failure !== undefined) throw failure;
}

/** Rejects the port of an echo server that is not started. */
function refuseEchoPorts(command: Command): void {
  const given = ["tcp", "udp", "events"].find((name) => command.getOptionValueSource(name) === "cli");
  if (given !== undefined) command.error(`error: Cannot use --${given} without --echo: it is a port of an echo server`);
}

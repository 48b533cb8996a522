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
Every other setting can be given in the environment or a file; 'landline config' lists them. Ctrl-C or SIGTERM ends it:
clients are told, and what was acknowledged is kept.

Examples:
  landline serve                 rooms at http://localhost:8083/
  landline serve --port 0        on a free port, which is printed
  landline serve --echo          and the three servers of 'landline echo'
  landline serve --host 0.0.0.0 --hosts chat.example.com
                                 for other machines, and browsers that open http://chat.example.com:8083/
  LANDLINE_PING_MS=30s landline serve
                                 any setting from the environment`;

export function addServe(program: Command): void {
  const command = program.command("serve").description("the chat server, with its web page");
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
  // Loaded here, as no other command needs it.
  const { RoomLogError, startServer } = await import("@landline/server");
  const reports = {
    onError: (error: unknown): void => {
      // What ends the server is told at its end.
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
    name: "chat and its page",
    tries: [`chat ${formatAddress(address)}`, `$ nc ${address.host} ${address.port}`],
  };
  announce(formatServices([chat, ...(services?.lines ?? [])]));
  const everyAddress = everyAddressLine((server.address as UdpAddress).host);
  if (everyAddress !== undefined) announce(`${everyAddress}; for browsers that open it by a name, see --hosts`);
  const isInMemory = config.data === undefined || config.durability === "memory";
  announce(
    isInMemory
      ? "Rooms are kept in memory only, and end with the server"
      : `Rooms are kept in ${safeLine(config.data)}`,
  );
  const failure = await Promise.race([untilInterrupted(interrupted), server.failed]);
  // Together, as each of them waits for its own clients.
  await Promise.all([server.close(), services?.close()]);
  if (failure !== undefined) throw failure;
}

/** A port for a server that is not started is a mistake. */
function refuseEchoPorts(command: Command): void {
  const given = ["tcp", "udp", "events"].find((name) => command.getOptionValueSource(name) === "cli");
  if (given !== undefined) command.error(`error: Cannot use --${given} without --echo: it is a port of an echo server`);
}

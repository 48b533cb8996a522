import { formatAddress, type UdpAddress } from "@landline/sockets";
import type { Command } from "commander";
import { EchoServices, type EchoServicesOptions } from "../echo/mod.ts";
import {
  everyAddressLine,
  formatServices,
  interruptSignal,
  localAddress,
  note,
  orOtherPort,
  print,
  safeLine,
  untilInterrupted,
} from "../terminal/mod.ts";
import { addServeFlags, loadServerConfig } from "./serve-flags.ts";

const EXAMPLES = `
Every other setting can be given in the environment or a file; 'landline config' lists them.

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
  const { config } = await loadServerConfig(command);
  // Loaded here, as no other command needs it.
  const { startServer } = await import("@landline/server");
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await orOtherPort(startServer(config), "--port"));
  const echoOptions = { ...echoPorts, host: config.host };
  const services = echo ? opened.adopt(await EchoServices.open(echoOptions), (each) => each.close()) : undefined;

  const address = localAddress(server.address as UdpAddress);
  const chat = {
    at: `http://${formatAddress(address)}/`,
    name: "chat and its page",
    tries: [`chat ${formatAddress(address)}`, `$ nc ${address.host} ${address.port}`],
  };
  print(formatServices([chat, ...(services?.lines ?? [])]));
  const everyAddress = everyAddressLine((server.address as UdpAddress).host);
  if (everyAddress !== undefined) print(`${everyAddress}; for browsers that open it by a name, see --hosts`);
  if (config.data !== undefined && config.durability !== "memory") note(`Rooms are kept in ${safeLine(config.data)}`);
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

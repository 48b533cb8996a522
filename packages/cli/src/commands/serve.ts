import { formatAddress, type UdpAddress } from "@landline/sockets";
import type { Command } from "commander";
import { EchoServices, type EchoServicesOptions } from "../echo/mod.ts";
import {
  everyAddressLine,
  formatServices,
  interruptSignal,
  localAddress,
  orOtherPort,
  parseHosts,
  parseListenPort,
  print,
  untilInterrupted,
} from "../terminal/mod.ts";
import { addEchoPorts } from "./echo.ts";

const EXAMPLES = `
Examples:
  landline serve                 rooms at http://localhost:8083/
  landline serve --port 0        on a free port, which is printed
  landline serve --echo          and the three servers of 'landline echo'
  landline serve --host 0.0.0.0 --hosts chat.example.com
                                 for other machines, and browsers that open http://chat.example.com:8083/`;

export function addServe(program: Command): void {
  const command = program
    .command("serve")
    .description("the chat server, with its web page")
    .option("--host <host>", "the address to listen on", "localhost")
    .option("--port <port>", "the port to listen on", parseListenPort, 8083)
    .option(
      "--hosts <names>",
      "names under which browsers reach the server, separated by commas; addresses and localhost need none",
      parseHosts,
    )
    .option("--echo", "the three servers of 'landline echo' too");
  addEchoPorts(command).addHelpText("after", EXAMPLES).action(serveChat);
}

interface ServeFlags extends EchoServicesOptions {
  port: number;
  hosts?: string[];
  echo?: boolean;
}

async function serveChat({ port, hosts = [], echo, ...echoOptions }: ServeFlags, command: Command): Promise<void> {
  if (!echo) refuseEchoPorts(command);
  const interrupted = interruptSignal();
  // Loaded here, as no other command needs it.
  const { startServer } = await import("@landline/server");
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await orOtherPort(startServer({ host: echoOptions.host, port, hosts }), "--port"));
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
  await untilInterrupted(interrupted);
  // Together, as each of them waits for its own clients.
  await Promise.all([server.close(), services?.close()]);
}

/** A port for a server that is not started is a mistake. */
function refuseEchoPorts(command: Command): void {
  const given = ["tcp", "udp", "events"].find((name) => command.getOptionValueSource(name) === "cli");
  if (given !== undefined) command.error(`error: Cannot use --${given} without --echo: it is a port of an echo server`);
}

import { formatAddress } from "@landline/sockets";
import type { Command } from "commander";
import { EchoServices, type EchoServicesOptions } from "../echo/mod.ts";
import { formatServices, interruptSignal, parseListenPort, print, untilInterrupted } from "../terminal/mod.ts";
import { addEchoPorts } from "./echo.ts";

const EXAMPLES = `
Examples:
  landline serve                 rooms at http://localhost:8083/
  landline serve --port 0        on a free port, which is printed
  landline serve --echo          and the three servers of 'landline echo'`;

export function addServe(program: Command): void {
  const command = program
    .command("serve")
    .description("the chat server, with its web page")
    .option("--host <host>", "the address to listen on", "localhost")
    .option("--port <port>", "the port to listen on", parseListenPort, 8083)
    .option("--echo", "the three servers of 'landline echo' too");
  addEchoPorts(command).addHelpText("after", EXAMPLES).action(serveChat);
}

interface ServeFlags extends EchoServicesOptions {
  port: number;
  echo?: boolean;
}

async function serveChat({ port, echo, ...echoOptions }: ServeFlags): Promise<void> {
  const interrupted = interruptSignal();
  // Loaded here, as no other command needs it.
  const { startServer } = await import("@landline/server");
  await using opened = new AsyncDisposableStack();
  const server = opened.adopt(await startServer({ host: echoOptions.host, port }), (each) => each.close());
  const { address } = server;
  const chat = {
    at: `http://${formatAddress(address)}/`,
    name: "chat and its page",
    tries: [`chat ${formatAddress(address)}`, `$ nc ${address.host} ${address.port}`],
  };
  const services = echo ? opened.adopt(await EchoServices.open(echoOptions), (each) => each.close()) : undefined;
  print(formatServices([chat, ...(services?.lines ?? [])]));
  await untilInterrupted(interrupted);
}

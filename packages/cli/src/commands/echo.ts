import type { Command } from "commander";
import { EchoServices } from "../echo/mod.ts";
import {
  announce,
  everyAddressLine,
  formatServices,
  interruptSignal,
  parseListenPort,
  untilInterrupted,
} from "../terminal/mod.ts";

const EXAMPLES = `
Examples:
  landline echo                             ports 8080, 8081 and 8082
  landline echo --tcp 0 --udp 0 --events 0  free ports, which are printed
  landline connect localhost 8080           connect to the TCP echo`;

export function addEcho(program: Command): void {
  const command = program
    .command("echo")
    .description("start three echo servers: TCP, UDP, and TCP with event handlers")
    .option("--host <host>", "address to listen on", "localhost");
  addEchoPorts(command).addHelpText("after", EXAMPLES).action(echo);
}

/** Adds the port options, for every command that starts the echo servers. */
export function addEchoPorts(command: Command): Command {
  return command
    .option("--tcp <port>", "port of the TCP echo, which answers 'Echo: …'", parseListenPort, 8080)
    .option("--udp <port>", "port of the UDP echo, which answers 'UDP Echo: …'", parseListenPort, 8081)
    .option("--events <port>", "port of the events echo, which answers 'Non-blocking echo: …'", parseListenPort, 8082);
}

async function echo(options: { host: string; tcp: number; udp: number; events: number }): Promise<void> {
  const interrupted = interruptSignal();
  const services = await EchoServices.open(options);
  announce(formatServices(services.lines));
  const everyAddress = everyAddressLine(services.host);
  if (everyAddress !== undefined) announce(everyAddress);
  await untilInterrupted(interrupted);
  await services.close();
}

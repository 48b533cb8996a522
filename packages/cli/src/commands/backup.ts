import type { Command } from "commander";
import { Output } from "../terminal/mod.ts";
import { addDataFlags, loadServerConfig } from "./serve-flags.ts";

const EXAMPLES = `
The server may be running. The backup is complete when the command exits with 0. 'landline restore' restores it.

Examples:
  landline backup rooms.db
  landline backup --data /var/lib/landline/data "rooms-$(date +%F).db"`;

export function addBackup(program: Command): void {
  const command = program
    .command("backup")
    .description("write a server's rooms to a new file")
    .argument("<file>", "file to create; must not exist");
  addDataFlags(command).addHelpText("after", EXAMPLES).action(backUp);
}

async function backUp(file: string, _options: unknown, command: Command): Promise<void> {
  if (file === "-") command.error("error: Cannot back up to standard output: name a file");
  const { settings } = await loadServerConfig(command);
  const { writeBackup } = await import("@landline/server");
  await writeBackup(settings.data ?? ".", file);
  await new Output().print(`wrote ${file}`);
}

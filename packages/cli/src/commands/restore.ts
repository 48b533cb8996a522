import type { Command } from "commander";
import { Output } from "../terminal/mod.ts";
import { addDataFlags, loadServerConfig } from "./serve-flags.ts";

const EXAMPLES = `
The server must be stopped. The current rooms are renamed, with the date in the name, and kept. Clients that reconnect
reload their rooms.
Run the command as the server's user. When root runs it, the files get the owner of the folder.

Examples:
  landline restore rooms.db
  landline restore --data /var/lib/landline/data rooms.db`;

export function addRestore(program: Command): void {
  const command = program
    .command("restore")
    .description("replace a server's rooms with a backup")
    .argument("<file>", "file written by 'landline backup'");
  addDataFlags(command).addHelpText("after", EXAMPLES).action(restore);
}

async function restore(file: string, _options: unknown, command: Command): Promise<void> {
  const { settings } = await loadServerConfig(command);
  const { restoreBackup } = await import("@landline/server");
  const folder = settings.data ?? ".";
  const aside = await restoreBackup(file, folder);
  const output = new Output();
  await output.print(`restored ${file} into ${folder}`);
  if (aside !== undefined) await output.print(`the previous rooms are in ${aside}`);
}

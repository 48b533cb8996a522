import type { Command } from "commander";
import { Output } from "../terminal/mod.ts";
import { addDataFlags, loadServerConfig } from "./serve-flags.ts";

const EXAMPLES = `
The server must not be running. What was there is kept beside it, under a name with the date. Clients that come back are
told that the rooms are other ones now, and load what they show anew.
The files belong to the owner of the folder when root runs it; else run it as the user that runs the server.

Examples:
  landline restore rooms.db
  landline restore --data /var/lib/landline rooms.db`;

export function addRestore(program: Command): void {
  const command = program
    .command("restore")
    .description("puts the rooms of a backup in the place of a server's")
    .argument("<file>", "what 'landline backup' wrote");
  addDataFlags(command).addHelpText("after", EXAMPLES).action(restore);
}

async function restore(file: string, _options: unknown, command: Command): Promise<void> {
  const { settings } = await loadServerConfig(command);
  const { restoreBackup } = await import("@landline/server");
  const folder = settings.data ?? ".";
  const aside = await restoreBackup(file, folder);
  const output = new Output();
  await output.print(`restored ${file} into ${folder}`);
  if (aside !== undefined) await output.print(`what was there before is now ${aside}`);
}

import { Command } from "commander";
import { addBackup } from "./commands/backup.ts";
import { addChat } from "./commands/chat.ts";
import { addConfig } from "./commands/config.ts";
import { addConnect } from "./commands/connect.ts";
import { addEcho } from "./commands/echo.ts";
import { addGet } from "./commands/get.ts";
import { addListen } from "./commands/listen.ts";
import { addRestore } from "./commands/restore.ts";
import { addServe } from "./commands/serve.ts";
import {
  guardOutputs,
  readVersion,
  reportError,
  safeText,
  showWarnings,
  startTrace,
  usageText,
} from "./terminal/mod.ts";

/** Time that unread output may delay the exit of the process, in milliseconds. */
const UNREAD_MS = 1_000;

const program = new Command("landline")
  .description("A chat server and client, echo servers, and tools for TCP, UDP and HTTP at the terminal.")
  .version(readVersion())
  .option("--trace", "print every socket state change to standard error")
  .configureOutput({ outputError: (text, write) => write(safeText(usageText(text))) })
  .exitOverride()
  .hook("preAction", (command) => {
    if (command.opts<{ trace?: boolean }>().trace) startTrace();
  });

for (const add of [addServe, addChat, addConnect, addListen, addEcho, addGet, addConfig, addBackup, addRestore])
  add(program);
for (const command of [program, ...program.commands]) {
  const name = command === program ? "landline" : `landline ${command.name()}`;
  command.showHelpAfterError(`Usage: ${name} ${command.usage()}\nSee ${name} --help.`);
}

guardOutputs();
showWarnings();

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportError(error);
}
// Results are written by now. Unread notes in a full pipe would keep the process alive for ever.
setTimeout(() => process.exit(), UNREAD_MS).unref();

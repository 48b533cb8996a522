import type { LoadedConfig } from "@landline/server";
import { type Command, Option } from "commander";
import { safeLine, WrongSettings } from "../terminal/mod.ts";
import { addEchoPorts } from "./echo.ts";

/** The server settings that have a flag. */
const SETTING_FLAGS = ["host", "port", "hosts", "data", "durability", "rates"] as const;

/** Adds the flags that locate the server's files. */
export function addDataFlags(command: Command): Command {
  return command
    .option("--data <folder>", "folder for the server's files (default: ./data)")
    .option("--config <file>", "JSON file with settings (default: landline.json, if it exists)");
}

/** Adds the flags of `serve`, for every command that accepts them. */
export function addServeFlags(command: Command): Command {
  const withSettings = command
    .option("--host <host>", "address to listen on (default: localhost)")
    .option("--port <port>", "port to listen on; 0 selects a free port (default: 8083)")
    .option(
      "--hosts <names>",
      "host names that browsers may use for the server, comma-separated; IP addresses and localhost always work",
    )
    .option(
      "--durability <kind>",
      "disk: messages survive a power cut; process: a crash; memory: nothing (default: disk)",
    )
    .option("--rates <on|off>", "off disables all rate limits and all limits per address (default: on)")
    .option("--echo", "also start the three servers of 'landline echo'");
  command.parent?.hook("preSubcommand", async (_program, called) => {
    if (called === command) await refuseOtherSettings(command);
  });
  return addEchoPorts(addDataFlags(withSettings));
}

/** Explains how to set a setting that has no flag, when the user passes it as one. */
async function refuseOtherSettings(command: Command): Promise<void> {
  const { flagOf, SETTINGS, variableOf } = await import("@landline/server");
  for (const name of Object.keys(SETTINGS)) {
    const flag = flagOf(name);
    if (command.options.some(({ long }) => long === flag)) continue;
    command.addOption(new Option(`${flag} [value]`).hideHelp());
    command.on(`option:${flag.slice(2)}`, () => {
      command.error(`error: '${flag}' is not a flag; set ${variableOf(name)}, or ${name} in the configuration file`);
    });
  }
}

/**
 * Loads the settings from the flags, the environment and the file. Mistakes end the command. The usage is printed only when
 * a flag is wrong.
 */
export async function loadServerConfig(command: Command): Promise<LoadedConfig> {
  // Loaded on demand: most commands do not need the server.
  const { ConfigError, loadConfig } = await import("@landline/server");
  const { config: file, ...options } = command.opts<Record<string, string | undefined>>();
  const flags = Object.fromEntries(SETTING_FLAGS.map((name) => [name, options[name]]));
  try {
    return await loadConfig({ flags, env: process.env, file });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const text = error.problems.map((problem) => `landline: ${safeLine(problem)}`).join("\n");
    if (error.hasWrongFlag) command.error(text);
    throw new WrongSettings(text, { cause: error });
  }
}

import type { LoadedConfig } from "@landline/server";
import { type Command, Option } from "commander";
import { safeLine, WrongSettings } from "../terminal/mod.ts";
import { addEchoPorts } from "./echo.ts";

/** Flags that are settings of the server, by the setting's name. */
const SETTING_FLAGS = ["host", "port", "hosts", "data", "durability", "rates"] as const;

/** The flags that say where a server's files are. */
export function addDataFlags(command: Command): Command {
  return command
    .option("--data <folder>", "where the server keeps its files (default: ./data)")
    .option("--config <file>", "a JSON file of settings (default: landline.json, if there is one)");
}

/** The flags of `serve`, for every command that takes them. */
export function addServeFlags(command: Command): Command {
  const withSettings = command
    .option("--host <host>", "the address to listen on (default: localhost)")
    .option("--port <port>", "the port to listen on (default: 8083)")
    .option(
      "--hosts <names>",
      "names under which browsers reach the server, separated by commas; addresses and localhost need none",
    )
    .option("--durability <kind>", "what a message survives: disk, process or memory (default: disk)")
    .option("--rates <on|off>", "off lifts every rate and every limit per address (default: on)")
    .option("--echo", "the three servers of 'landline echo' too");
  command.parent?.hook("preSubcommand", async (_program, called) => {
    if (called === command) await refuseOtherSettings(command);
  });
  return addEchoPorts(addDataFlags(withSettings));
}

/** Says of the settings that have no flag how they are given: they are easily taken for flags. */
async function refuseOtherSettings(command: Command): Promise<void> {
  const { flagOf, SETTINGS, variableOf } = await import("@landline/server");
  for (const name of Object.keys(SETTINGS)) {
    const flag = flagOf(name);
    if (command.options.some(({ long }) => long === flag)) continue;
    command.addOption(new Option(`${flag} [value]`).hideHelp());
    command.on(`option:${flag.slice(2)}`, () => {
      command.error(`error: '${flag}' is no flag; set ${variableOf(name)} (or ${name} in the file)`);
    });
  }
}

/**
 * What is in force, from the command's flags, the environment and a file. Mistakes end the command; how it is used is said
 * only where a flag is wrong.
 */
export async function loadServerConfig(command: Command): Promise<LoadedConfig> {
  // Loaded here, as few commands need it.
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

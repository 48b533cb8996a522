import type { LoadedConfig, Setting, SettingName } from "@landline/server";
import type { Command } from "commander";
import { Output, safeLine } from "../terminal/mod.ts";
import { addServeFlags, loadServerConfig } from "./serve-flags.ts";

const EXAMPLES = `
Settings come from flags, then from LANDLINE_… in the environment, then from a file of JSON.

Examples:
  landline config                          every setting, its value, and where it came from
  landline config --check && landline serve
  LANDLINE_PING_MS=30s landline config     pingMs from the environment
  echo '{"connectionsMax": 500}' > landline.json
                                           a file that 'landline serve' finds`;

export function addConfig(program: Command): void {
  const command = program
    .command("config")
    .description("the settings of 'serve' that are in force, and where they came from")
    .option("--check", "only say what is wrong, and exit with 0 or 2")
    .option("--json", "as JSON, in milliseconds and bytes");
  addServeFlags(command).addHelpText("after", EXAMPLES).action(showConfig);
}

async function showConfig({ check, json }: { check?: boolean; json?: boolean }, command: Command): Promise<void> {
  const loaded = await loadServerConfig(command);
  if (check) return;
  const { formatSetting, SETTINGS } = await import("@landline/server");
  const names = Object.keys(SETTINGS) as SettingName[];
  const output = new Output();
  if (json) {
    await output.print(JSON.stringify(Object.fromEntries(names.map((name) => [name, plain(name, loaded)])), null, 2));
    return;
  }
  const rows = names.map((name) => {
    const setting = SETTINGS[name] as Setting;
    return [name, formatSetting(setting, loaded.settings[name]), loaded.origins[name].name, setting.about] as const;
  });
  for (const [line, isDefault] of table(rows)) await output.print(line, { isDim: isDefault });
}

/** One setting for programs. JSON has no word for infinity. */
function plain(name: SettingName, { settings, origins }: LoadedConfig): unknown {
  const value = settings[name];
  return {
    value: value === Number.POSITIVE_INFINITY ? "unlimited" : (value ?? null),
    from: origins[name].from,
    ...(origins[name].from === "default" ? {} : { name: origins[name].name }),
  };
}

/** Rows in columns, and whether they are defaults, which step back on a terminal. */
function table(rows: readonly (readonly [string, string, string, string])[]): [line: string, isDefault: boolean][] {
  const safe = rows.map((row) => row.map(safeLine));
  const widths = [0, 1, 2].map((column) => Math.max(...safe.map((cells) => cells[column]?.length ?? 0)));
  return safe.map((cells) => [
    cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "),
    cells[2] === "default",
  ]);
}

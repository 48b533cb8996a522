import type { LoadedConfig, Setting, SettingName } from "@landline/server";
import type { Command } from "commander";
import { Output, safeLine } from "../terminal/mod.ts";
import { addServeFlags, loadServerConfig } from "./serve-flags.ts";

const EXAMPLES = `
A flag overrides a LANDLINE_… environment variable, which overrides the JSON file.

Examples:
  landline config                          every setting with its value and source
  landline config --check && landline serve
  LANDLINE_PING_MS=30s landline config     pingMs from the environment
  echo '{"connectionsMax": 500}' > landline.json
                                           a file that 'landline serve' reads`;

export function addConfig(program: Command): void {
  const command = program
    .command("config")
    .description("print the settings of 'serve' and their sources")
    .option("--check", "only check: exit with 0, or print the mistakes and exit with 2")
    .option("--json", "print JSON, in milliseconds and bytes");
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

/** One setting for the JSON output. JSON has no number for infinity. */
function plain(name: SettingName, { settings, origins }: LoadedConfig): unknown {
  const value = settings[name];
  return {
    value: value === Number.POSITIVE_INFINITY ? "unlimited" : (value ?? null),
    from: origins[name].from,
    ...(origins[name].from === "default" ? {} : { name: origins[name].name }),
  };
}

/** Aligns rows in columns. Defaults are printed dim on a terminal. */
function table(rows: readonly (readonly [string, string, string, string])[]): [line: string, isDefault: boolean][] {
  const safe = rows.map((row) => row.map(safeLine));
  const widths = [0, 1, 2].map((column) => Math.max(...safe.map((cells) => cells[column]?.length ?? 0)));
  return safe.map((cells) => [
    cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "),
    cells[2] === "default",
  ]);
}

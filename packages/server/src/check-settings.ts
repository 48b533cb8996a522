import { RELATIONS, SETTINGS, type ServerConfig, type Setting } from "./config.ts";
import type { ChatLimits } from "./core/mod.ts";
import { formatSetting, parseSetting, type SettingValue } from "./setting-value.ts";

/** All settings and limits, by name. */
export type Settings = ServerConfig & ChatLimits;
export type SettingName = keyof Settings;

/**
 * Validates settings that were passed in code, where `Infinity` means unlimited.
 *
 * @throws {RangeError} when a setting is invalid. The message has a line for each, with its value and what it must
 *   be.
 */
export function checkSettings(settings: Settings): Settings {
  const problems: string[] = [];
  const values = new Map<string, SettingValue>();
  for (const [name, setting] of Object.entries(SETTINGS)) {
    const value = settings[name as SettingName];
    if (name === "data" && value === undefined) continue;
    try {
      values.set(name, parseSetting(setting, value === Number.POSITIVE_INFINITY ? "unlimited" : value));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      problems.push(
        `Cannot use ${name} ${typeof value === "number" ? value : JSON.stringify(value)}: ${error.message}`,
      );
    }
  }
  const checked = Object.fromEntries(values) as unknown as Settings;
  if (problems.length === 0) problems.push(...relationProblems(checked));
  if (problems.length > 0) throw new RangeError(problems.join("\n"));
  return checked;
}

/**
 * Returns a line for each setting that does not fit other ones. It names the one that needs most. Each value must be
 * valid on its own.
 */
export function relationProblems(settings: Settings, origin?: (name: SettingName) => string): readonly string[] {
  const shown = (name: SettingName): string => {
    const value = formatSetting(SETTINGS[name] as Setting, settings[name]);
    return origin === undefined ? `${name} ${value}` : `${name} ${value} (from ${origin(name)})`;
  };
  const needs = new Map<SettingName, { readonly other: SettingName; readonly least: number }>();
  for (const relation of RELATIONS) {
    const name = relation.name as SettingName;
    const other = relation.other as SettingName;
    const least = relation.least(settings[other] as number);
    if ((settings[name] as number) < least && least > (needs.get(name)?.least ?? 0)) needs.set(name, { other, least });
  }
  return [...needs].map(([name, { other, least }]) => {
    const text = `${Math.ceil(least / 1_024)}KiB`;
    return `Cannot use ${shown(name)}: with ${shown(other)} it must be at least ${text}`;
  });
}

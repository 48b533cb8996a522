import { readFile } from "node:fs/promises";
import { relationProblems, type SettingName, type Settings } from "./check-settings.ts";
import { DEFAULT_CONFIG, SETTINGS, type ServerConfig, type Setting } from "./config.ts";
import { type ChatLimits, DEFAULT_LIMITS } from "./core/mod.ts";
import { JsonSyntaxError, parseJson } from "./json-file.ts";
import { nearestName } from "./nearest-name.ts";
import { parseSetting, type SettingValue } from "./setting-value.ts";

/** The source of a value. */
export interface Origin {
  readonly from: "flag" | "environment" | "file" | "default";
  /** `--port`, `LANDLINE_PORT`, the file's path, or `default`. */
  readonly name: string;
}

/** The sources of {@link loadConfig}. If several set a value, the first in this order wins. */
export interface ConfigSources {
  /** Values of the command line, by the setting's name. */
  readonly flags?: Readonly<Record<string, string | undefined>>;
  /** Environment variables such as `LANDLINE_PORT=9000`. Empty values are ignored. @default none */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A JSON file, which must exist. @default `LANDLINE_CONFIG`, else `landline.json` if it exists */
  readonly file?: string | undefined;
}

/** The result of {@link loadConfig}. */
export interface LoadedConfig {
  /** The options for `startServer`. */
  readonly config: ServerConfig & { readonly limits: ChatLimits };
  readonly settings: Settings;
  readonly origins: Readonly<Record<SettingName, Origin>>;
}

/** An invalid configuration. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** One line for each problem. */
  readonly problems: readonly string[];
  /** Whether a command-line flag is among the problems. */
  readonly hasWrongFlag: boolean;

  constructor(problems: readonly string[], options: { readonly hasWrongFlag?: boolean } = {}) {
    super(problems.join("\n"));
    this.problems = problems;
    this.hasWrongFlag = options.hasWrongFlag ?? false;
  }
}

/** The settings when no source sets anything: the server's defaults, and a folder for the log. */
export const DEFAULT_SETTINGS: Settings = { ...DEFAULT_CONFIG, ...DEFAULT_LIMITS, data: "./data" };

const DEFAULT_FILE = "landline.json";
/** Variables with the prefix that are not settings: the file to read, and a switch of this project's tests. */
const OTHER_VARIABLES: ReadonlySet<string> = new Set(["LANDLINE_CONFIG", "LANDLINE_LONG"]);
const VARIABLE_PREFIX = "LANDLINE_";
const NAMES = Object.keys(SETTINGS) as SettingName[];
const NAME_OF_VARIABLE = new Map(NAMES.map((name) => [variableOf(name), name]));

/**
 * Reads the settings from flags, the environment and a file, in this order of precedence.
 *
 * @throws {ConfigError} when a setting is unknown or invalid. It lists every problem with its source.
 */
export async function loadConfig({ flags = {}, env = {}, file }: ConfigSources = {}): Promise<LoadedConfig> {
  const loading = new Loading();
  loading.readFlags(flags);
  loading.readEnvironment(env);
  await loading.readFile(file ?? (env.LANDLINE_CONFIG || undefined), { isFlag: file !== undefined });
  return loading.finish();
}

/** The state of one {@link loadConfig} call. The first source that sets a value wins. */
class Loading {
  readonly #values = new Map<SettingName, SettingValue>();
  readonly #origins = new Map<SettingName, Origin>();
  readonly #problems: string[] = [];
  #hasWrongFlag = false;

  readFlags(flags: Readonly<Record<string, string | undefined>>): void {
    for (const [name, text] of Object.entries(flags)) {
      if (text !== undefined) this.#read(name as SettingName, text, { from: "flag", name: flagOf(name) });
    }
  }

  readEnvironment(env: Readonly<Record<string, string | undefined>>): void {
    for (const [variable, text] of Object.entries(env)) {
      if (!variable.startsWith(VARIABLE_PREFIX) || OTHER_VARIABLES.has(variable) || text === undefined || text === "") {
        continue;
      }
      const name = NAME_OF_VARIABLE.get(variable);
      if (name === undefined) this.#unknownVariable(variable);
      else this.#read(name, text, { from: "environment", name: variable });
    }
  }

  async readFile(given: string | undefined, { isFlag }: { readonly isFlag: boolean }): Promise<void> {
    const path = given ?? DEFAULT_FILE;
    try {
      this.#readObject(parseJson(await readFile(path, "utf8")), path);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" && given === undefined) return;
      if (code === undefined && !(error instanceof JsonSyntaxError)) throw error;
      this.#hasWrongFlag ||= isFlag && code !== undefined;
      this.#problems.push(`Cannot read configuration ${path}: ${FILE_ERRORS[code ?? ""] ?? message}`);
    }
  }

  finish(): LoadedConfig {
    const settings = { ...DEFAULT_SETTINGS, ...Object.fromEntries(this.#values) } as Settings;
    const isDefault: Origin = { from: "default", name: "default" };
    const origins = Object.fromEntries(
      NAMES.map((name) => [name, this.#origins.get(name) ?? isDefault]),
    ) as LoadedConfig["origins"];
    // Check relations only if all values are valid: a default in place of an invalid value would give false problems.
    if (this.#problems.length === 0) {
      this.#problems.push(...relationProblems(settings, (name) => origins[name].name));
    }
    if (this.#problems.length > 0) throw new ConfigError(this.#problems, { hasWrongFlag: this.#hasWrongFlag });
    return {
      settings,
      origins,
      config: { ...pick(settings, DEFAULT_CONFIG), limits: pick(settings, DEFAULT_LIMITS) },
    };
  }

  #readObject(value: unknown, path: string): void {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.#problems.push(`Cannot read configuration ${path}: it is not a JSON object of settings`);
      return;
    }
    for (const [name, raw] of Object.entries(value)) {
      if (Object.hasOwn(SETTINGS, name)) this.#read(name as SettingName, raw, { from: "file", name: path });
      else this.#unknown(name, path, NAMES);
    }
  }

  /** Validates each value, including those that another source overrides. */
  #read(name: SettingName, raw: unknown, origin: Origin): void {
    const setting = SETTINGS[name] as Setting;
    try {
      const value = parseSetting(setting, raw);
      if (this.#origins.has(name)) return;
      this.#values.set(name, value);
      this.#origins.set(name, origin);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#hasWrongFlag ||= origin.from === "flag";
      this.#problems.push(`Cannot use ${name} ${JSON.stringify(raw)} (from ${origin.name}): ${error.message}`);
    }
  }

  #unknown(name: string, place: string, known: readonly string[]): void {
    this.#addUnknown(name, place, nearestName(name, known));
  }

  #unknownVariable(variable: string): void {
    const rest = (each: string) => each.slice(VARIABLE_PREFIX.length);
    const nearest = nearestName(rest(variable), [...NAME_OF_VARIABLE.keys()].map(rest));
    this.#addUnknown(variable, "the environment", nearest && `${VARIABLE_PREFIX}${nearest}`);
  }

  #addUnknown(name: string, place: string, nearest: string | undefined): void {
    const hint = nearest === undefined ? "'landline config' lists them all" : `did you mean ${nearest}?`;
    this.#problems.push(`Unknown setting ${name} (in ${place}); ${hint}`);
  }
}

/** Texts for the errors of reading a file. */
const FILE_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder, not a file",
  EACCES: "it may not be read by this user",
};

/** Returns the environment variable of a setting: `pingMs` → `LANDLINE_PING_MS`. */
export function variableOf(name: string): string {
  return `${VARIABLE_PREFIX}${name.replace(/[A-Z]/g, "_$&").toUpperCase()}`;
}

/** Returns the flag of a setting: `pingMs` → `--ping-ms`. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, "-$&").toLowerCase()}`;
}

/** Returns the settings that `like` has. */
function pick<Like extends object>(settings: Like, like: Like): Like {
  return Object.fromEntries(Object.keys(like).map((name) => [name, settings[name as keyof Like]])) as Like;
}

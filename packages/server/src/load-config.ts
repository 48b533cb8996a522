import { readFile } from "node:fs/promises";
import { relationProblems, type SettingName, type Settings } from "./check-settings.ts";
import { DEFAULT_CONFIG, SETTINGS, type ServerConfig, type Setting } from "./config.ts";
import { type ChatLimits, DEFAULT_LIMITS } from "./core/mod.ts";
import { JsonSyntaxError, parseJson } from "./json-file.ts";
import { nearestName } from "./nearest-name.ts";
import { parseSetting, type SettingValue } from "./setting-value.ts";

/** Where a value came from. */
export interface Origin {
  readonly from: "flag" | "environment" | "file" | "default";
  /** `--port`, `LANDLINE_PORT`, the file's path, `default`. */
  readonly name: string;
}

/** What {@link loadConfig} reads; of two that name a setting the first here counts. */
export interface ConfigSources {
  /** Texts of the command line, by the setting's name. */
  readonly flags?: Readonly<Record<string, string | undefined>>;
  /** `LANDLINE_PORT=9000`; an empty value counts as none. @default none */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A JSON file that must be there. @default what `LANDLINE_CONFIG` names, else `landline.json` if there is one */
  readonly file?: string | undefined;
}

/** See {@link loadConfig}. */
export interface LoadedConfig {
  /** For `startServer`. */
  readonly config: ServerConfig & { readonly limits: ChatLimits };
  readonly settings: Settings;
  readonly origins: Readonly<Record<SettingName, Origin>>;
}

/** A configuration with mistakes. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** Each mistake in one line. */
  readonly problems: readonly string[];
  /** Whether one of them stands on the command line. */
  readonly hasWrongFlag: boolean;

  constructor(problems: readonly string[], options: { readonly hasWrongFlag?: boolean } = {}) {
    super(problems.join("\n"));
    this.problems = problems;
    this.hasWrongFlag = options.hasWrongFlag ?? false;
  }
}

/** What is in force when nothing is said: the server's defaults, and a folder for the log. */
export const DEFAULT_SETTINGS: Settings = { ...DEFAULT_CONFIG, ...DEFAULT_LIMITS, data: "./data" };

const DEFAULT_FILE = "landline.json";
/** Variables that are no settings: which file is read, and how long this project's own tests take. */
const OTHER_VARIABLES: ReadonlySet<string> = new Set(["LANDLINE_CONFIG", "LANDLINE_LONG"]);
const VARIABLE_PREFIX = "LANDLINE_";
const NAMES = Object.keys(SETTINGS) as SettingName[];
const NAME_OF_VARIABLE = new Map(NAMES.map((name) => [variableOf(name), name]));

/**
 * Reads the settings from flags, then the environment, then a file.
 *
 * @throws {ConfigError} naming everything that is unknown or wrong, and where it stands.
 */
export async function loadConfig({ flags = {}, env = {}, file }: ConfigSources = {}): Promise<LoadedConfig> {
  const loading = new Loading();
  loading.readFlags(flags);
  loading.readEnvironment(env);
  await loading.readFile(file ?? (env.LANDLINE_CONFIG || undefined), { isFlag: file !== undefined });
  return loading.finish();
}

/** One run of {@link loadConfig}: what was read so far. The first one that names a setting counts. */
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
    // Where a value could not be read, its default says nothing about the others.
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
      this.#problems.push(`Cannot read configuration ${path}: it is no JSON object of settings`);
      return;
    }
    for (const [name, raw] of Object.entries(value)) {
      if (Object.hasOwn(SETTINGS, name)) this.#read(name as SettingName, raw, { from: "file", name: path });
      else this.#unknown(name, path, NAMES);
    }
  }

  /** Checks every value, also those that another source has overruled. */
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

/** Why a file cannot be read, in words. */
const FILE_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder, not a file",
  EACCES: "it may not be read by this user",
};

/** The environment's name of a setting: `pingMs` → `LANDLINE_PING_MS`. */
export function variableOf(name: string): string {
  return `${VARIABLE_PREFIX}${name.replace(/[A-Z]/g, "_$&").toUpperCase()}`;
}

/** A setting's name as a flag: `pingMs` → `--ping-ms`. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, "-$&").toLowerCase()}`;
}

/** The settings that `like` has. */
function pick<Like extends object>(settings: Like, like: Like): Like {
  return Object.fromEntries(Object.keys(like).map((name) => [name, settings[name as keyof Like]])) as Like;
}

import { domainToASCII } from "node:url";
import * as v from "valibot";
import type { Setting } from "./config.ts";

/** The value of a setting: durations in milliseconds, sizes in bytes, rates per second. `Infinity` means unlimited. */
export type SettingValue = string | number | readonly string[] | undefined;

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1_000,
  mb: 1_000_000,
  gb: 1_000_000_000,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};
/** The longest delay of Node's timers. A longer one fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;
const UNLIMITED = "unlimited";

/**
 * Parses a setting: a string, or from a file also a number or a list. @throws {RangeError} when the value is invalid;
 * the message says what it must be.
 */
export function parseSetting(setting: Setting, raw: unknown): SettingValue {
  const result = v.safeParse(schemaOf(setting), raw);
  if (result.success) return result.output;
  throw new RangeError(result.issues[0].message);
}

/** Formats a value so that {@link parseSetting} can read it. */
export function formatSetting({ kind }: Setting, value: SettingValue): string {
  if (value === undefined) return "none";
  if (typeof value === "object") return value.length === 0 ? "none" : value.join(",");
  if (typeof value === "string") return value;
  if (value === Number.POSITIVE_INFINITY) return UNLIMITED;
  if (kind === "duration") return withUnit(value, [["d"], ["h"], ["m"], ["s"], ["ms"]], DURATION_UNITS);
  if (kind === "size") return withUnit(value, [["GiB"], ["MiB"], ["KiB"], ["B", ""]], SIZE_UNITS);
  return kind === "rate" ? `${value}/s` : String(value);
}

function schemaOf(setting: Setting): v.GenericSchema<unknown, SettingValue> {
  switch (setting.kind) {
    case "text":
      return v.pipe(v.string(NOT_TEXT), v.trim(), v.nonEmpty(NOT_TEXT));
    case "hosts":
      return v.pipe(
        v.union([v.pipe(v.string(), v.transform(splitList)), v.array(v.string())], NOT_HOSTS),
        v.transform((names) => names.map(hostName)),
        v.check((names) => !names.includes(""), NOT_HOSTS),
      );
    case "port":
      return v.pipe(
        number(/^(\d+)$/, {}, NOT_PORT),
        v.integer(NOT_PORT),
        v.minValue(0, NOT_PORT),
        v.maxValue(65_535, NOT_PORT),
      );
    case "count":
      return amount(setting, /^(\d+)$/, {}, "a whole number");
    case "rate":
      return amount(setting, /^(\d+(?:\.\d+)?)(?:\/s)?$/, {}, "a rate such as 50/s");
    case "duration":
      return amount(setting, /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)?$/, DURATION_UNITS, "a duration such as 30s");
    case "size":
      return amount(setting, /^(\d+(?:\.\d+)?) ?([kmg]i?b|b)?$/i, SIZE_UNITS, "a size such as 64KiB");
    case "choice":
      return v.picklist(setting.choices ?? [], `not one of ${setting.choices?.join(", ")}`);
  }
}

const NOT_TEXT = "must be a text that is not empty";
const NOT_PORT = "not a port from 0 to 65535";
const NOT_HOSTS = "not names separated by commas, without http:// and port, such as chat.local,chat.example.com";

type NumberSchema = v.GenericSchema<unknown, number>;

/** A schema for a number, or a string of digits and a unit. */
function number(pattern: RegExp, units: Readonly<Record<string, number>>, message: string): NumberSchema {
  const fromText = v.pipe(
    v.string(),
    v.transform((text) => {
      const [, digits = "", unit = ""] = pattern.exec(text.trim()) ?? [];
      return digits === "" ? Number.NaN : Number(digits) * (units[unit.toLowerCase()] ?? 1);
    }),
  );
  return v.pipe(v.union([v.number(), fromText], message), v.finite(message));
}

/** A schema for a number within the setting's bounds, or `unlimited` where that is allowed. */
function amount(
  setting: Setting,
  pattern: RegExp,
  units: Readonly<Record<string, number>>,
  what: string,
): NumberSchema {
  const { kind, isUnlimitable } = setting;
  const { min, max } = boundsOf(setting);
  const canBeUnlimited = kind === "rate" || isUnlimitable === true;
  const message = `not ${what}${canBeUnlimited ? ` or ${UNLIMITED}` : ""}`;
  const limited: NumberSchema = v.pipe(
    number(pattern, units, message),
    v.check((value) => kind === "rate" || Number.isInteger(value), message),
    v.minValue(min, `must be at least ${formatSetting(setting, min)}`),
    v.maxValue(
      max,
      `must be at most ${kind === "duration" && max === TIMER_MS_MAX ? "24d" : formatSetting(setting, max)}`,
    ),
  );
  return canBeUnlimited ? v.lazy((raw) => (raw === UNLIMITED ? NO_LIMIT : limited)) : limited;
}

const LEAST: Readonly<Partial<Record<Setting["kind"], number>>> = { duration: 0, rate: 0.001 };

/** Returns the bounds of a numeric setting. Ports have their own. */
export function boundsOf({ kind, min, max, isLong }: Setting): { readonly min: number; readonly max: number } {
  return { min: min ?? LEAST[kind] ?? 1, max: max ?? (isLong ? Number.MAX_SAFE_INTEGER : TIMER_MS_MAX) };
}

const NO_LIMIT: NumberSchema = v.pipe(
  v.unknown(),
  v.transform(() => Number.POSITIVE_INFINITY),
);

function splitList(text: string): string[] {
  return text.split(",");
}

/** Returns the host name as browsers send it, or an empty string if it is invalid. */
function hostName(name: string): string {
  return /^[\p{L}\p{N}._-]+$/u.test(name.trim()) ? domainToASCII(name.trim()) : "";
}

/** Formats a value in the largest unit that gives a whole number. */
function withUnit(
  value: number,
  names: readonly (readonly [string, string?])[],
  units: Readonly<Record<string, number>>,
): string {
  const fits = ([name]: readonly [string, string?]) => value % (units[name.toLowerCase()] as number) === 0;
  const [name = "", text = name] = (value === 0 ? undefined : names.find(fits)) ?? names.at(-1) ?? [];
  return `${value / (units[name.toLowerCase()] ?? 1)}${text}`;
}

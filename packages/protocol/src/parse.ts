import type { ErrorCode } from "./codes.ts";
import type { Position, Request, RequestOf, RequestType } from "./messages.ts";

/** Why a value is not a valid request. */
export interface InvalidRequest {
  readonly type: "invalid";
  readonly code: ErrorCode;
  readonly message: string;
  /** The request's own id, if it was valid. */
  readonly id?: string;
}

type Fields = Readonly<Record<string, unknown>>;
type Check = (fields: Fields) => string | undefined;

const ID_LENGTH_MAX = 64;

/** Checks the fields of each request type. Returns what is wrong. */
const CHECKS: Readonly<Record<RequestType, Check>> = {
  hello: (fields) =>
    need(fields, "version", "number") ??
    may(fields, "username", "string") ??
    may(fields, "session", "string") ??
    may(fields, "share", "boolean") ??
    count(fields, "attempt"),
  join: (fields) =>
    !fields.room || (Object.hasOwn(fields, "username") && !fields.username)
      ? "Room and username required"
      : (need(fields, "room", "string") ??
        may(fields, "username", "string") ??
        position(fields) ??
        count(fields, "history")),
  chat: (fields) => need(fields, "message", "string") ?? may(fields, "room", "string"),
  leave: (fields) => may(fields, "room", "string"),
  who: (fields) => need(fields, "room", "string"),
  rooms: () => undefined,
  history: (fields) =>
    need(fields, "room", "string") ??
    count(fields, "before") ??
    count(fields, "after") ??
    count(fields, "limit") ??
    (fields.before !== undefined && fields.after !== undefined
      ? 'Only one of "before" and "after" can be given'
      : undefined),
  search: (fields) =>
    need(fields, "room", "string") ??
    need(fields, "query", "string") ??
    count(fields, "before") ??
    count(fields, "limit"),
  topic: (fields) => need(fields, "room", "string") ?? may(fields, "topic", "string"),
  typing: (fields) => need(fields, "room", "string"),
  read: (fields) => need(fields, "room", "string") ?? need(fields, "seq", "number") ?? count(fields, "seq"),
  ping: () => undefined,
  pong: () => undefined,
};

type FieldOf<Type extends RequestType> = Exclude<keyof RequestOf<Type>, "type" | "id">;

/** The fields of each request type, besides `type` and `id`. */
const FIELDS: { readonly [Type in RequestType]: readonly FieldOf<Type>[] } = {
  hello: ["version", "username", "session", "share", "attempt"],
  join: ["room", "username", "after", "history"],
  chat: ["room", "message"],
  leave: ["room"],
  who: ["room"],
  rooms: [],
  history: ["room", "before", "after", "limit"],
  search: ["room", "query", "before", "limit"],
  topic: ["room", "topic"],
  typing: ["room"],
  read: ["room", "seq"],
  ping: [],
  pong: [],
};

/**
 * Checks that a JSON value is a request: its type is known and each field has the right type. The server's rules
 * decide whether a name is valid and a room was joined.
 *
 * Removes unknown fields: a request may be queued for long and must not keep them in memory.
 */
export function parseRequest(value: unknown): Request | InvalidRequest {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return invalid("invalid-request", "A message must be a JSON object");
  }
  const fields = value as Fields;
  const { type, id } = fields;
  if (id !== undefined && !isRequestId(id)) {
    return invalid("invalid-request", `"id" must be a string of 1 to ${ID_LENGTH_MAX} characters`);
  }
  if (typeof type !== "string") return invalid("invalid-request", '"type" must be a string', id);
  if (!Object.hasOwn(CHECKS, type)) return invalid("unknown-type", "Unknown message type", id);
  const wrong = CHECKS[type as RequestType](fields);
  return wrong === undefined ? request(type as RequestType, fields) : invalid("invalid-request", wrong, id);
}

/** Whether the value can be the `id` of a request. */
export function isRequestId(id: unknown): id is string {
  return typeof id === "string" && id.length > 0 && id.length <= ID_LENGTH_MAX && id.isWellFormed();
}

/** Returns the known fields of a checked request, or the value itself if it has no other fields. */
function request(type: RequestType, fields: Fields): Request {
  const names: readonly string[] = FIELDS[type];
  if (isWhole(fields, names)) return fields as Request;
  const known: Record<string, unknown> = { type };
  if (fields.id !== undefined) known.id = fields.id;
  for (const name of names) if (Object.hasOwn(fields, name)) known[name] = copyOf(fields[name]);
  return known as Request;
}

/** Whether all fields are known and none is an object. */
function isWhole(fields: Fields, names: readonly string[]): boolean {
  for (const name in fields) {
    if (name !== "type" && name !== "id" && !names.includes(name)) return false;
    if (typeof fields[name] === "object") return false;
  }
  return true;
}

/** Copies a field. A position is the only field that is an object. */
function copyOf(value: unknown): unknown {
  if (typeof value !== "object") return value;
  const { epoch, seq } = value as Position;
  return { epoch, seq };
}

function invalid(code: ErrorCode, message: string, id?: string): InvalidRequest {
  return id === undefined ? { type: "invalid", code, message } : { type: "invalid", code, message, id };
}

function need(fields: Fields, name: string, type: "string" | "number" | "boolean"): string | undefined {
  return typeof fields[name] === type ? undefined : `"${name}" must be a ${type}`;
}

function may(fields: Fields, name: string, type: "string" | "number" | "boolean"): string | undefined {
  return fields[name] === undefined ? undefined : need(fields, name, type);
}

function count(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)) return undefined;
  return `"${name}" must be a whole number that is not negative`;
}

function position(fields: Fields): string | undefined {
  const after = fields.after as Position | null | undefined;
  if (after === undefined) return undefined;
  const isPosition =
    typeof after === "object" &&
    after !== null &&
    typeof after.epoch === "string" &&
    Number.isSafeInteger(after.seq) &&
    after.seq >= 0;
  return isPosition ? undefined : '"after" must be a position: {"epoch": string, "seq": number}';
}

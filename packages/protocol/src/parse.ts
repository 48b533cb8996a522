import type { ErrorCode } from "./codes.ts";
import { type FieldKinds, type Position, REQUESTS, type Request, type RequestType } from "./requests.ts";

/** Why a value is not a valid request. */
export interface InvalidRequest {
  readonly type: "invalid";
  readonly code: ErrorCode;
  readonly message: string;
  /** The request's own id, if it was valid. */
  readonly id?: string;
}

type Values = Readonly<Record<string, unknown>>;

interface Field {
  readonly name: string;
  readonly kind: keyof FieldKinds;
  readonly isOptional: boolean;
}

const ID_LENGTH_MAX = 64;

/** Checks a value of each kind, and says what it must be. */
const KINDS: Readonly<
  Record<keyof FieldKinds, { readonly accepts: (value: unknown) => boolean; readonly must: string }>
> = {
  text: { accepts: (value) => typeof value === "string", must: "a string" },
  name: { accepts: (value) => typeof value === "string", must: "a string" },
  number: { accepts: (value) => typeof value === "number", must: "a number" },
  count: { accepts: isCount, must: "a whole number that is not negative" },
  flag: { accepts: (value) => typeof value === "boolean", must: "a boolean" },
  position: { accepts: isPosition, must: 'a position: {"epoch": string, "seq": number}' },
};

const FIELDS: ReadonlyMap<string, readonly Field[]> = new Map(
  Object.entries(REQUESTS).map(([type, fields]) => [
    type,
    Object.entries<string>(fields).map(([name, kind]) => {
      const isOptional = kind.endsWith("?");
      return { name, kind: (isOptional ? kind.slice(0, -1) : kind) as keyof FieldKinds, isOptional };
    }),
  ]),
);

/**
 * Checks that a JSON value is a request: its type is known and each field has the right kind. The server's rules
 * decide whether a name is valid and a room was joined.
 *
 * Removes unknown fields: a request may be queued for long and must not keep them in memory.
 */
export function parseRequest(value: unknown): Request | InvalidRequest {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return invalid("invalid-request", "A message must be a JSON object");
  }
  const values = value as Values;
  const { type, id } = values;
  if (id !== undefined && !isRequestId(id)) {
    return invalid("invalid-request", `"id" must be a string of 1 to ${ID_LENGTH_MAX} characters`);
  }
  if (typeof type !== "string") return invalid("invalid-request", '"type" must be a string', id);
  const fields = FIELDS.get(type);
  if (fields === undefined) return invalid("unknown-type", "Unknown message type", id);
  for (const field of fields) {
    const wrong = problem(field, values[field.name]);
    if (wrong !== undefined) return invalid("invalid-request", wrong, id);
  }
  if (type === "history" && values.before !== undefined && values.after !== undefined) {
    return invalid("invalid-request", 'Only one of "before" and "after" can be given', id);
  }
  return known(type as RequestType, id, fields, values);
}

/** Whether the value can be the `id` of a request. */
export function isRequestId(id: unknown): id is string {
  return typeof id === "string" && id.length > 0 && id.length <= ID_LENGTH_MAX && id.isWellFormed();
}

/** Returns what is wrong with the value of a field, if anything. */
function problem({ name, kind, isOptional }: Field, value: unknown): string | undefined {
  if (value === undefined && isOptional) return undefined;
  // The tutorial's own error.
  if (kind === "name" && !value) return "Room and username required";
  return KINDS[kind].accepts(value) ? undefined : `"${name}" must be ${KINDS[kind].must}`;
}

/** Returns the known fields of a checked request, or the value itself if it has no others. */
function known(type: RequestType, id: string | undefined, fields: readonly Field[], values: Values): Request {
  let others = id === undefined ? -1 : -2;
  for (const _ in values) others += 1;
  let hasPosition = false;
  for (const { name, kind } of fields) {
    if (values[name] === undefined) continue;
    others -= 1;
    if (kind === "position") hasPosition = true;
  }
  if (others === 0 && !hasPosition) return values as Request;
  const request: Record<string, unknown> = { type };
  if (id !== undefined) request.id = id;
  for (const { name, kind } of fields) {
    const value = values[name];
    if (value === undefined) continue;
    request[name] = kind === "position" ? { epoch: (value as Position).epoch, seq: (value as Position).seq } : value;
  }
  return request as Request;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPosition(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { epoch, seq } = value as Partial<Position>;
  return typeof epoch === "string" && isCount(seq);
}

function invalid(code: ErrorCode, message: string, id?: string): InvalidRequest {
  return id === undefined ? { type: "invalid", code, message } : { type: "invalid", code, message, id };
}

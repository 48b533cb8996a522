import { type Command, type Refusal, refuse } from "../../core/mod.ts";
import { parseExactly, pythonNumber } from "./python-json.ts";

/** Deepest nesting of JSON. The TCP codec has the same limit. */
const DEPTH_MAX = 128;

const TOO_DEEP = refuse("invalid-request", `JSON is nested at most ${DEPTH_MAX} deep`);

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a request as the tutorial's server does: fields that it does not use may hold anything. Returns `undefined`
 * for requests that the tutorial lacks. `json` is the request's text, which keeps its numbers as written.
 */
export function version1Command(fields: Fields, json: string): Command | Refusal | undefined {
  switch (fields.type) {
    case "join":
      return join(fields, json);
    case "chat":
      return chat(fields, json);
    case "leave":
    case "ping":
    case "pong":
      return { type: fields.type };
    default:
      return undefined;
  }
}

function join(fields: Fields, json: string): Command | Refusal {
  const { room, username } = fields;
  if (!isTrue(room) || !isTrue(username)) return refuse("invalid-request", "Room and username required");
  if (typeof room === "string" && typeof username === "string") return { type: "join", room, username, isMove: true };
  if (isDeeper(fields, DEPTH_MAX)) return TOO_DEEP;
  const exact = parseExactly(json) as Fields;
  for (const name of ["room", "username"]) {
    if (typeof fields[name] === "object") return refuse("invalid-request", `"${name}" must be a string`);
  }
  return { type: "join", room: nameOf(exact.room), username: nameOf(exact.username), isMove: true };
}

/** Whether the value is true in Python. */
function isTrue(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return Boolean(value);
  return Object.keys(value).length > 0;
}

/** Formats a string, boolean or number as Python prints it. */
function nameOf(exact: unknown): string {
  if (typeof exact === "string") return exact;
  if (typeof exact === "boolean") return exact ? "True" : "False";
  return pythonNumber(JSON.stringify(exact));
}

/** A message may be any JSON value. A value that is not a string is passed on as JSON text. */
function chat(fields: Fields, json: string): Command | Refusal {
  const { message = "" } = fields;
  if (typeof message === "string") return { type: "chat", message };
  if (isDeeper(fields, DEPTH_MAX)) return TOO_DEEP;
  return { type: "chat", message: JSON.stringify((parseExactly(json) as Fields).message), isJson: true };
}

function isDeeper(value: unknown, depthMax: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depthMax === 0 || Object.values(value).some((item) => isDeeper(item, depthMax - 1));
}

import { type Command, type Refusal, refuse } from "../../core/mod.ts";
import { parseExactly, pythonNumber } from "./python-json.ts";

/** As deep as the codec for TCP lets JSON be. */
const DEPTH_MAX = 128;

const TOO_DEEP = refuse("invalid-request", `JSON is nested at most ${DEPTH_MAX} deep`);

type Fields = Readonly<Record<string, unknown>>;

/**
 * What the tutorial's clients can ask, as its server understands it: fields that it does not look at may hold anything.
 * Absent for requests that the tutorial does not have. `json` is the request's text, for its numbers.
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
  if (typeof room === "string" && typeof username === "string") return { type: "join", room, username };
  if (isDeeper(fields, DEPTH_MAX)) return TOO_DEEP;
  const exact = parseExactly(json) as Fields;
  for (const name of ["room", "username"]) {
    if (typeof fields[name] === "object") return refuse("invalid-request", `"${name}" must be a string`);
  }
  return { type: "join", room: nameOf(exact.room), username: nameOf(exact.username) };
}

/** Whether Python takes the value for true. */
function isTrue(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return Boolean(value);
  return Object.keys(value).length > 0;
}

/** A text, a boolean or a number, as Python prints it. */
function nameOf(exact: unknown): string {
  if (typeof exact === "string") return exact;
  if (typeof exact === "boolean") return exact ? "True" : "False";
  return pythonNumber(JSON.stringify(exact));
}

/** A message may be any value: what is no text is kept as the text of its JSON. */
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

import { parseRequest } from "@landline/protocol";
import { type Command, type Refusal, refuse } from "../../core/mod.ts";

/** What arrived is not JSON. */
export const INVALID_JSON: Refusal = refuse("invalid-json", "Invalid JSON");

/** What a JSON value asks. */
export function readCommand(value: unknown): Command | Refusal {
  const request = parseRequest(value);
  if (request.type !== "invalid") return request;
  return { ...refuse(request.code, request.message), id: request.id };
}

/** What a text asks that should be one JSON value. */
export function readText(text: string): Command | Refusal {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return INVALID_JSON;
  }
  return readCommand(value);
}

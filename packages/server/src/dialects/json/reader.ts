import { isRequestId, parseRequest } from "@landline/protocol";
import { type Command, type Refusal, refuse } from "../../core/mod.ts";
import { toStrictJson } from "./python-json.ts";
import { version1Command } from "./version-1.ts";

/** The refusal of text that is not JSON. */
export const INVALID_JSON: Refusal = refuse("invalid-json", "Invalid JSON");

/** Reads the requests of one connection: as version 1 before `hello`, and as version 2 after it. */
export class RequestReader {
  #saidHello = false;

  /** Parses one request, which must be one JSON value. Returns a refusal if it is invalid. */
  read(text: string): Command | Refusal {
    try {
      return this.#saidHello ? toCommand(JSON.parse(text)) : this.#readVersion1(text);
    } catch (error) {
      if (error instanceof SyntaxError) return INVALID_JSON;
      throw error;
    }
  }

  #readVersion1(text: string): Command | Refusal {
    let json = text;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      json = toStrictJson(text);
      value = JSON.parse(json);
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) return toCommand(value);
    const fields = value as Readonly<Record<string, unknown>>;
    if (fields.type === "hello") {
      this.#saidHello = true;
      return json === text ? toCommand(value) : INVALID_JSON;
    }
    // The tutorial has no ids, so an invalid one is ignored.
    const id = isRequestId(fields.id) ? fields.id : undefined;
    const command = version1Command(fields, json);
    if (command === undefined) return toCommand({ ...fields, id });
    return id === undefined ? command : { ...command, id };
  }
}

function toCommand(value: unknown): Command | Refusal {
  const request = parseRequest(value);
  if (request.type !== "invalid") return request;
  return { ...refuse(request.code, request.message), id: request.id };
}

import { isRequestId, parseRequest } from "@landline/protocol";
import { type Command, type Refusal, refuse } from "../../core/mod.ts";
import type { Incoming } from "../../hub/mod.ts";
import { version2 } from "./encoder.ts";
import { toStrictJson } from "./python-json.ts";
import { version1Command } from "./version-1.ts";

/** The refusal of text that is not JSON. */
export const INVALID_JSON: Refusal = refuse("invalid-json", "Invalid JSON");

/** Reads the requests of one connection: as version 1 up to the first `hello`, and from there on as version 2. */
export class RequestReader {
  readonly #receive: (request: Incoming) => void;
  #saidHello = false;

  constructor(receive: (request: Incoming) => void) {
    this.#receive = receive;
  }

  /** Reads one request, which must be one JSON value. Passes on a refusal if it is invalid. */
  read(text: string): void {
    this.#receive(this.#parse(text));
  }

  #parse(text: string): Command | Refusal {
    try {
      return this.#saidHello ? toCommand(JSON.parse(text)) : this.#parseVersion1(text);
    } catch (error) {
      if (error instanceof SyntaxError) return INVALID_JSON;
      throw error;
    }
  }

  #parseVersion1(text: string): Command | Refusal {
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
      this.#receive({ type: "format", encoder: version2 });
      return json === text ? toCommand(value) : INVALID_JSON;
    }
    // The tutorial has no ids, so an invalid one is ignored.
    const id = isRequestId(fields.id) ? fields.id : undefined;
    const command = version1Command(fields, json);
    if (command !== undefined) {
      // A message's id is left out: it would be taken for a promise that it is unique.
      return id === undefined || command.type === "chat" ? command : { ...command, id };
    }
    const request = toCommand({ ...fields, id });
    if (request.type === "refusal") return request;
    const refusal = refuse("version-required", `Send {"type":"hello","version":2} before ${request.type}`);
    return { ...refusal, id };
  }
}

function toCommand(value: unknown): Command | Refusal {
  const request = parseRequest(value);
  if (request.type !== "invalid") return request;
  return { ...refuse(request.code, request.message), id: request.id };
}

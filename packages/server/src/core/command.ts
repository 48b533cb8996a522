import type { RequestOf, RequestType } from "@landline/protocol";

/** What a dialect may say with a command beyond the wire's fields. */
interface Additions {
  readonly join: {
    /** The session takes this name, and leaves its other rooms. */
    readonly isMove?: true;
  };
  readonly chat: {
    /** `message` is the JSON text of a value that is not a string. */
    readonly isJson?: true;
  };
}

/** A client's request, in any dialect. The answer carries the same `id`. */
export type CommandOf<Type extends RequestType> = {
  [Each in Type]: RequestOf<Each> & (Each extends keyof Additions ? Additions[Each] : unknown);
}[Type];

export type Command = CommandOf<RequestType>;

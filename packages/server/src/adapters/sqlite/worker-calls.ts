import { parentPort } from "node:worker_threads";
import { RoomLogError, type RoomLogErrorCode } from "../../hub/mod.ts";
import { toRoomLogError } from "./database.ts";

/** The methods of a thread. They are called by name; arguments and results are copied. */
// biome-ignore lint/suspicious/noExplicitAny: the arguments are each method's own.
export type Methods<M> = { readonly [K in keyof M]: (...args: any[]) => unknown };

/** A call to the thread. */
export type Call = readonly [call: number, method: string, args: readonly unknown[]];
/** An answer from the thread. */
export type Reply =
  | { readonly call: number; readonly value: unknown }
  | { readonly call: number; readonly error: ErrorFacts }
  /** A failure that belongs to no call. */
  | { readonly call: undefined; readonly error: ErrorFacts };

/** An error between threads. A structured clone would lose its class and code. */
export interface ErrorFacts {
  readonly code: RoomLogErrorCode;
  readonly message: string;
  readonly cause: unknown;
}

/**
 * Answers calls in this worker thread. The first call creates the methods, so an error of their constructor answers
 * that call.
 */
export function answerCalls<M extends Methods<M>>(action: string, make: (report: (error: unknown) => void) => M): void {
  const port = parentPort;
  if (port === null) throw new Error("This file is run by a worker thread");
  const post = (reply: Reply) => port.postMessage(reply);
  const facts = (error: unknown): ErrorFacts => {
    const { code, message, cause } = toRoomLogError(error, action);
    return { code, message, cause: cause instanceof Error ? cause.message : undefined };
  };
  let methods: M | undefined;
  port.on("message", ([call, method, args]: Call) => {
    try {
      methods ??= make((error) => post({ call: undefined, error: facts(error) }));
      const value = methods[method as keyof M](...args);
      if (!(value instanceof Promise)) return post({ call, value });
      value.then(
        (result) => post({ call, value: result }),
        (error) => post({ call, error: facts(error) }),
      );
    } catch (error) {
      // Do not catch it: the thread ends, and the parent rejects all pending calls.
      if (error instanceof RoomLogError && error.code === "failed") throw error;
      post({ call, error: facts(error) });
    }
  });
}

import { parentPort } from "node:worker_threads";
import { RoomLogError, type RoomLogErrorCode } from "../../hub/mod.ts";
import { toRoomLogError } from "./database.ts";

/** What a thread can be asked: each method is called by name, its arguments and result are copied. */
// biome-ignore lint/suspicious/noExplicitAny: the arguments are each method's own.
export type Methods<M> = { readonly [K in keyof M]: (...args: any[]) => unknown };

/** A call on its way to the thread, and what comes back. */
export type Call = readonly [call: number, method: string, args: readonly unknown[]];
export type Reply =
  | { readonly call: number; readonly value: unknown }
  | { readonly call: number; readonly error: ErrorFacts }
  /** Something failed that nobody asked for. */
  | { readonly call: undefined; readonly error: ErrorFacts };

/** An error as it crosses threads, which would lose its class and code. */
export interface ErrorFacts {
  readonly code: RoomLogErrorCode;
  readonly message: string;
  readonly cause: unknown;
}

/**
 * Makes this worker thread answer calls. The methods are made by the first one, so that an error of theirs is that
 * one's answer.
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
      // Nothing catches it: the thread ends, and whoever waits for it is told.
      if (error instanceof RoomLogError && error.code === "failed") throw error;
      post({ call, error: facts(error) });
    }
  });
}

import { Worker } from "node:worker_threads";
import { RoomLogError } from "../../hub/mod.ts";
import type { Call, ErrorFacts, Methods, Reply } from "./worker-calls.ts";

/** Node's option for a thread that runs from TypeScript sources, as in a checkout of the repository. */
const SOURCES = "--conditions=@landline/source";

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: RoomLogError) => void;
}

/** Options of a {@link Thread}. */
export interface ThreadOptions {
  /** The thread's name in error texts. */
  readonly name: string;
  /** The file that the thread runs. */
  readonly url: string;
  readonly data: unknown;
  /** Most calls that wait for an answer. Past this, calls are refused with `busy`. */
  readonly callsMax: number;
  readonly report: (error: unknown) => void;
}

/** A worker thread and its pending calls. When the thread dies, they are all rejected. */
export class Thread<M extends Methods<M>> {
  readonly worker: Worker;
  /** Resolves when the thread has ended. The value is an error if it ended unexpectedly. */
  readonly ended: Promise<RoomLogError | undefined>;
  readonly #options: ThreadOptions;
  readonly #waiting = new Map<number, Waiting>();
  #lastCall = 0;
  #isClosing = false;
  #failure: RoomLogError | undefined;

  constructor(options: ThreadOptions) {
    this.#options = options;
    // A thread does not inherit the parent's module hooks, which find the sources of other packages. Node's own
    // option works.
    const sources = options.url.endsWith(".ts") ? { execArgv: [SOURCES] } : {};
    this.worker = new Worker(new URL(options.url), { workerData: options.data, name: options.name, ...sources });
    this.worker.on("message", (reply: Reply) => this.#settle(reply));
    let cause: unknown;
    this.worker.on("error", (error) => {
      cause = error;
    });
    this.worker.on("messageerror", (error) => {
      cause = error;
      void this.worker.terminate();
    });
    const { promise, resolve } = Promise.withResolvers<RoomLogError | undefined>();
    this.ended = promise;
    this.worker.on("exit", () => {
      const why = cause instanceof Error ? `: ${cause.message}` : "";
      this.#failure = this.#isClosing
        ? new RoomLogError("closed", "The log was closed")
        : new RoomLogError("failed", `The log's ${options.name} has stopped${why}`, { cause });
      for (const { reject } of this.#waiting.values()) reject(this.#failure);
      this.#waiting.clear();
      resolve(this.#isClosing ? undefined : this.#failure);
    });
  }

  /** Whether the thread has ended. Calls are then rejected without being sent. */
  get hasEnded(): boolean {
    return this.#failure !== undefined;
  }

  /**
   * Calls a method of the thread. Rejects with the method's error, with `busy`, or with `failed` when the thread is
   * dead.
   */
  call<K extends keyof M & string>(method: K, ...args: Parameters<M[K]>): Promise<Awaited<ReturnType<M[K]>>> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#waiting.size >= this.#options.callsMax) {
      const text = `Cannot ask the log's ${this.#options.name}: ${this.#waiting.size} calls are waiting for it`;
      return Promise.reject(new RoomLogError("busy", text));
    }
    this.#lastCall += 1;
    const call = this.#lastCall;
    this.worker.postMessage([call, method, args] satisfies Call);
    return new Promise((resolve, reject) => this.#waiting.set(call, { resolve, reject }));
  }

  /** Ends the thread. Calls that are still pending are rejected with `closed`. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.worker.terminate();
    await this.ended;
  }

  /** Ends the thread when it returns from its current call, if ever, and does not wait for it. */
  abandon(): void {
    this.#isClosing = true;
    this.worker.unref();
    void this.worker.terminate();
  }

  #settle(reply: Reply): void {
    if (reply.call === undefined) {
      this.#options.report(toError(reply.error));
      return;
    }
    const waiting = this.#waiting.get(reply.call);
    this.#waiting.delete(reply.call);
    if ("error" in reply) waiting?.reject(toError(reply.error));
    else waiting?.resolve(reply.value as never);
  }
}

function toError({ code, message, cause }: ErrorFacts): RoomLogError {
  return new RoomLogError(code, message, cause === undefined ? undefined : { cause });
}

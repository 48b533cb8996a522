import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("../packages/cli/bin/landline.mjs", import.meta.url));
/** Longest wait for an output, in milliseconds: far longer than any takes. */
const WAIT_MS = 60_000;
/** Kills a program that outlives its test. */
const LIFE_MS = 280_000;

/** Runs a command on a pseudo-terminal of 24 rows and 80 columns. Standard input is the keyboard, standard output the screen. */
const ON_A_TERMINAL = `
import fcntl, os, pty, select, struct, sys, termios
child, screen = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.execvp(sys.argv[1], sys.argv[1:])
sources = [screen, 0]
while True:
    for source in select.select(sources, [], [])[0]:
        try:
            data = os.read(source, 65536)
        except OSError:
            data = b""
        if source == 0 and data:
            os.write(screen, data)
        elif source == 0:
            sources.remove(0)
        elif data:
            os.write(1, data)
        else:
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)
`;

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The environment of a command. */
export interface Surroundings {
  readonly cwd?: string | undefined;
  /** Variables in addition to those of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A command in a child process. Tests can wait for its output. */
export class CliProcess implements AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  #stdout = "";
  #stderr = "";
  #changed = Promise.withResolvers<void>();

  constructor(command: string, args: readonly string[], { cwd, env: added }: Surroundings = {}) {
    const { NO_COLOR: _, npm_lifecycle_event: __, ...env } = process.env;
    this.child = spawn(command, args, {
      cwd,
      env: { ...env, TERM: "xterm", ...added },
      timeout: LIFE_MS,
      killSignal: "SIGKILL",
    });
    this.child.stdout.setEncoding("utf8").on("data", (text) => this.#add({ stdout: text }));
    this.child.stderr.setEncoding("utf8").on("data", (text) => this.#add({ stderr: text }));
    // Ignore EPIPE: the command may have ended.
    this.child.stdin.on("error", () => undefined);
    this.ended = once(this.child, "close").then(([code]) => {
      this.#changed.resolve();
      return { code, stdout: this.#stdout, stderr: this.#stderr };
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Writes to its input and keeps it open. */
  type(text: string | Uint8Array): void {
    this.child.stdin.write(text);
  }

  /** Waits until the output matches. @returns the match with its groups. */
  async until(pattern: RegExp, stream: "stdout" | "stderr" = "stdout"): Promise<RegExpExecArray> {
    const signal = AbortSignal.timeout(WAIT_MS);
    for (;;) {
      const changed = this.#changed.promise;
      const match = pattern.exec(stream === "stdout" ? this.#stdout : this.#stderr);
      if (match !== null) return match;
      if (signal.aborted || this.child.exitCode !== null) throw new Error(this.#describe(pattern));
      await Promise.race([changed, once(signal, "abort")]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill("SIGKILL");
    await this.ended;
  }

  #add({ stdout = "", stderr = "" }: { stdout?: string; stderr?: string }): void {
    this.#stdout += stdout;
    this.#stderr += stderr;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  #describe(pattern: RegExp): string {
    return `No ${pattern} in\n${this.#stdout}\n--- stderr:\n${this.#stderr}`;
  }
}

/** Starts `landline` with these arguments. Servers write no files to this folder. */
export function landline(...args: readonly string[]): CliProcess {
  return landlineIn({ env: { LANDLINE_DURABILITY: "memory" } }, ...args);
}

/** Starts `landline` in another folder or environment. */
export function landlineIn(surroundings: Surroundings, ...args: readonly string[]): CliProcess {
  return new CliProcess(process.execPath, [BIN, ...args], surroundings);
}

/** Runs `landline` with this input until it exits. */
export function runLandline(args: readonly string[], input: string | Uint8Array = ""): Promise<Ended> {
  const command = landline(...args);
  command.child.stdin.end(input);
  return command.ended;
}

/** Starts `landline` on a pseudo-terminal, which Python makes. */
export function landlineOnTerminal(...args: readonly string[]): CliProcess {
  return onTerminal(...landlineProgram(...args));
}

/** Starts any program on a pseudo-terminal. */
export function onTerminal(...program: readonly string[]): CliProcess {
  return python(ON_A_TERMINAL, ...program);
}

/** The same, but its input is a pipe that has ended. Its output goes to the terminal. */
export function pipedToTerminal(input: string, ...args: readonly string[]): CliProcess {
  const shell = ["sh", "-c", 'input=$1; shift; printf %s "$input" | "$@"', "sh", input];
  return onTerminal(...shell, ...landlineProgram(...args));
}

/** The command line of `landline`, for other programs to start. */
export function landlineProgram(...args: readonly string[]): readonly string[] {
  return [process.execPath, BIN, ...args];
}

/** Starts a shell script, in which `"$@"` is `landline` with these arguments. */
export function landlineInShell(script: string, ...args: readonly string[]): CliProcess {
  return new CliProcess("sh", ["-c", script, "sh", ...landlineProgram(...args)], {
    env: { LANDLINE_DURABILITY: "memory" },
  });
}

/** Starts a Python program. */
export function python(program: string, ...args: readonly string[]): CliProcess {
  return new CliProcess("python3", ["-u", "-c", program, ...args], { env: { LANDLINE_DURABILITY: "memory" } });
}

/**
 * A function of a user's module, called in a process that has no foreign functions, network, environment and subprocesses.
 * In: the module's path and the function's name. Out: an asynchronous function over batches of argument lists.
 *
 * A Deno process that may use foreign functions (every computing stage) cannot confine JavaScript: `Deno.dlopen` reaches the
 * whole system. So a user's code gets a process of its own (`user_module_host.ts`), which ends with this one.
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { DataError, TryAgainError, UnavailableError, UsageError } from "@/lib/compute/tensor/errors.ts";

/** What a module's process may use. */
export interface UserModuleLimits {
  /** bytes of its data segment, V8's heap included; default 1 GiB */
  readonly memoryBytes?: number;
  /** milliseconds that a batch may take; default 60,000 */
  readonly batchMs?: number;
  /** stops the process when it is aborted */
  readonly signal?: AbortSignal;
}

/** A module's function, and its process. */
export interface UserModule extends AsyncDisposable {
  /**
   * Calls the function once for each argument list, and returns what it returned; {@linkcode InvalidValue} stands for what
   * JSON cannot hold.
   * @throws {DataError} if the function throws, takes too long, or ends the process
   * @throws {TryAgainError} if the signal was aborted
   */
  call(argumentLists: readonly (readonly unknown[])[]): Promise<readonly unknown[]>;
}

/** A returned value that is no JSON: NaN, an infinity, undefined, a function, … */
export class InvalidValue {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text;
  }
}

/** Argument lists that are sent at a time. */
export const BATCH = 1024;
/** A reply longer than this ends the process. */
const LONGEST_REPLY = 64 * 2 ** 20;
const HOST = fileURLToPath(new URL("./user_module_host.ts", import.meta.url));
/** Where Debian, Alpine and Fedora have the two programs. */
const FOLDERS = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/** The programs that confine a module's process, absolute; undefined where one is missing. */
export function confiningPrograms(): { readonly setpriv: string; readonly prlimit: string } | undefined {
  const [setpriv, prlimit] = ["setpriv", "prlimit"].map((name) =>
    FOLDERS.map((folder) => `${folder}/${name}`).find((path) => {
      try {
        return Deno.statSync(path).isFile;
      } catch {
        return false;
      }
    })
  );
  return setpriv && prlimit ? { setpriv, prlimit } : undefined;
}

/**
 * Loads the JavaScript or TypeScript module at `path` in a process of its own.
 * @param name of the function that it must export
 * @param what for messages: "checker"
 * @throws {UsageError} if the module does not load or exports no such function
 * @throws {UnavailableError} if setpriv or prlimit is missing
 */
export async function openUserModule(
  path: string,
  { name, what }: { readonly name: string; readonly what: string },
  { memoryBytes = 2 ** 30, batchMs = 60_000, signal }: UserModuleLimits = {},
): Promise<UserModule> {
  const programs = confiningPrograms();
  if (!programs) {
    throw new UnavailableError(
      `${what} ${path} runs in a confined process, which requires setpriv and prlimit: install the package util-linux`,
    );
  }
  const file = resolve(path);
  const child = new Deno.Command(programs.setpriv, {
    args: [
      ...[
        "--pdeathsig",
        "KILL",
        programs.prlimit,
        `--data=${memoryBytes}`,
        "--core=0",
        Deno.execPath(),
        "run",
      ],
      ...["--quiet", "--no-prompt", "--no-config", "--no-lock", "--no-remote", "--no-npm", "--cached-only"],
      `--allow-read=${file}`,
      ...[HOST, pathToFileURL(file).href, name],
    ],
    clearEnv: true,
    env: keptEnvironment(),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const kill = () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };
  signal?.addEventListener("abort", kill);
  const errors = lastLines(child.stderr), replies = linesWithin(child.stdout, LONGEST_REPLY);
  const writer = child.stdin.getWriter();

  /** The next reply, or the reason why there is none. */
  async function reply(): Promise<Record<string, unknown>> {
    let late = false;
    const timer = setTimeout(() => (late = true, kill()), batchMs);
    try {
      const { value, done } = await replies.next();
      if (!done) return parsed(value);
    } finally {
      clearTimeout(timer);
    }
    if (signal?.aborted) {
      throw new TryAgainError(`Interrupted: ${what} ${path} was stopped. Run the same command to resume`);
    }
    if (late) throw broken(`must return within ${batchMs / 1000} s per batch of ${BATCH}: got no result`);
    const { code, signal: by } = await child.status;
    const last = await errors;
    throw broken(
      `must not end its process: got ${by ?? `exit code ${code}`} (memory limit ${
        memoryBytes / 2 ** 20
      } MiB)${last && `\n${last}`}`,
    );
  }
  const broken = (why: string) => (kill(), new DataError(`${what} ${path} ${why}`, { file: path }));
  function parsed(line: string): Record<string, unknown> {
    try {
      return JSON.parse(line, decoded);
    } catch {
      throw broken("must not write to standard output, and its results must be JSON");
    }
  }
  async function close(): Promise<void> {
    signal?.removeEventListener("abort", kill);
    kill();
    await Promise.allSettled([writer.close(), child.status, errors, replies.return()]);
  }

  try {
    const first = await reply();
    if ("failed" in first) throw new UsageError(`${what} ${path} does not load: ${first.failed}`);
    if ("missing" in first) {
      const exported = (first.missing as string[]).join(", ") || "nothing";
      throw new UsageError(`${what} ${path} must export a function "${name}", got ${exported}`);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async call(argumentLists) {
      const values: unknown[] = [];
      for (let start = 0; start < argumentLists.length; start += BATCH) {
        const line = JSON.stringify(argumentLists.slice(start, start + BATCH)) + "\n";
        // A process that has died is noticed by its missing reply.
        const written = writer.write(new TextEncoder().encode(line)).catch(() => {});
        const answer = await reply();
        await written;
        if ("error" in answer) {
          throw new DataError(`${what} ${path} must not throw: ${answer.error}`, {
            file: path,
            row: start + (answer.at as number),
          });
        }
        for (const value of answer.values as unknown[]) values.push(value);
      }
      return values;
    },
    [Symbol.asyncDispose]: close,
  };
}

/** The variables that a module's process gets. */
function keptEnvironment(): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ["PATH", "LANG", "TZ"]) {
    try {
      const value = Deno.env.get(name);
      if (value !== undefined) kept[name] = value;
    } catch {
      // This process may not read it.
    }
  }
  return kept;
}

function decoded(_key: string, value: unknown): unknown {
  const isMarked = typeof value === "object" && value !== null && "$invalid" in value;
  return isMarked ? new InvalidValue(String(value.$invalid)) : value;
}

/** Lines of a stream; the stream is given up at a line of more than `most` characters. */
async function* linesWithin(stream: ReadableStream<Uint8Array<ArrayBuffer>>, most: number) {
  const parts: string[] = [];
  let length = 0;
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    const lines = part.split("\n");
    for (const [i, line] of lines.entries()) {
      parts.push(line);
      length += line.length;
      if (length > most) return;
      if (i < lines.length - 1) {
        yield parts.join("");
        parts.length = length = 0;
      }
    }
  }
}

/** The last 2,000 characters of a stream. */
async function lastLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) text = (text + part).slice(-2000);
  return text.trim();
}

/**
 * A function of a user's module, called in a process that has no foreign functions, network, environment and subprocesses.
 * In: the module's path, the function's name, and its arguments. Out: what it returned.
 *
 * A Deno process that may use foreign functions (every computing stage) cannot confine JavaScript: `Deno.dlopen` reaches the
 * whole system. So a user's code gets a process of its own (`user_module_host.ts`), which ends with this one.
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { confiningPrograms } from "@/lib/data/files/confining_programs.ts";
import { DataError, TryAgainError, UnavailableError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { lastCharacters, linesWithin } from "./bounded_streams.ts";

/** What a module's process may use. */
export interface UserModuleLimits {
  /** bytes of its data segment, Deno's own 550 MiB and V8's heap included; default 1 GiB */
  readonly memoryBytes?: number;
  /** milliseconds that a batch may take; default 60,000 */
  readonly batchMs?: number;
  /** stops the process when it is aborted */
  readonly signal?: AbortSignal;
}

/** A function that a user's module exports. */
export interface UserFunction {
  readonly path: string;
  readonly name: string;
  /** what it is, for messages: "checker" */
  readonly what: string;
}

/** A returned value that JSON lacks: NaN, an infinity, undefined, a function, … */
export class InvalidValue {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text;
  }
  toJSON(): string {
    return this.text;
  }
}

/** Argument lists, or rows, that are sent at a time. */
const BATCH = 1024;
/** A reply of more characters ends the process. */
const LONGEST_REPLY = 64 * 2 ** 20;
/** Milliseconds that a process has to end after it has closed its output. */
const END_MS = 1000;
const HOST = fileURLToPath(new URL("./user_module_host.ts", import.meta.url));

/**
 * Loads the module and checks that it exports the function.
 * @throws {UsageError} if it does not load or has no such function
 * @throws {UnavailableError} if setpriv or prlimit is missing
 */
export async function checkUserModule(called: UserFunction, limits: UserModuleLimits = {}): Promise<void> {
  await using _process = await ModuleProcess.start(called, "each", limits);
}

/**
 * Calls the function once for each argument list, and returns what it returned; {@linkcode InvalidValue} stands for what JSON
 * lacks. A batch of 1,024 lists has the limit `batchMs`.
 * @throws {DataError} if the function throws (`where.row` is the number of the list), takes too long, or ends the process
 * @throws {TryAgainError} if the signal was aborted
 */
export async function callForEach(
  called: UserFunction,
  argumentLists: readonly (readonly unknown[])[],
  limits: UserModuleLimits = {},
): Promise<readonly unknown[]> {
  await using process = await ModuleProcess.start(called, "each", limits);
  const values: unknown[] = [];
  for (let start = 0; start < argumentLists.length; start += BATCH) {
    const batch = argumentLists.slice(start, start + BATCH);
    const returned = await process.ask([batch], { batches: 1, row: start });
    if (!Array.isArray(returned) || returned.length !== batch.length) throw process.noProtocol();
    for (const value of returned) values.push(value);
  }
  return values;
}

/**
 * Calls the function once with the list of all rows and returns what it returned, as `callForEach()`. The rows are sent in
 * batches of 1,024; the call has the limit `batchMs` times their number.
 */
export async function callWithAll(
  called: UserFunction,
  rows: readonly unknown[],
  limits: UserModuleLimits = {},
): Promise<unknown> {
  await using process = await ModuleProcess.start(called, "all", limits);
  const batches = Array.from(
    { length: Math.ceil(rows.length / BATCH) },
    (_, i) => rows.slice(BATCH * i, BATCH * (i + 1)),
  );
  return await process.ask([...batches, null], { batches: Math.max(1, batches.length) });
}

/** The process of a module. */
class ModuleProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #replies: AsyncGenerator<string>;
  readonly #errors: Promise<string>;
  readonly #kill = () => {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };

  private constructor(
    readonly called: UserFunction,
    readonly limits: UserModuleLimits,
    command: Deno.Command,
  ) {
    this.#child = command.spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#replies = linesWithin(this.#child.stdout, LONGEST_REPLY);
    this.#errors = lastCharacters(this.#child.stderr, 2000);
    limits.signal?.addEventListener("abort", this.#kill);
    if (limits.signal?.aborted) this.#kill();
  }

  /** @param mode "each": a call for each argument list; "all": one call with all rows */
  static async start(
    called: UserFunction,
    mode: "each" | "all",
    limits: UserModuleLimits,
  ): Promise<ModuleProcess> {
    const { path, name, what } = called;
    const process = new ModuleProcess(called, limits, confined(called, mode, limits));
    try {
      const first = await process.#reply(1);
      if ("failed" in first) throw new UsageError(`Failed to load ${what} ${path}: ${first.failed}`);
      if ("missing" in first) {
        const exported = (first.missing as string[]).join(", ") || "nothing";
        throw new UsageError(`${what} ${path} must export a function "${name}", got ${exported}`);
      }
      return process;
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Sends `messages` and returns the value of the reply. @param row number of the first argument list */
  async ask(
    messages: readonly unknown[],
    { batches, row = 0 }: { readonly batches: number; readonly row?: number },
  ): Promise<unknown> {
    // A process that has died is noticed by its missing reply.
    const written = this.#send(messages).catch(() => {});
    const answer = await this.#reply(batches);
    await written;
    if (!("error" in answer)) return answer.value;
    const { path, what } = this.called;
    const at = typeof answer.at === "number" ? { row: row + answer.at } : {};
    throw new DataError(`${what} ${path} failed: ${answer.error}`, { file: path, ...at });
  }

  /** Ends the process and returns the error for output that is not a reply. */
  noProtocol(): DataError {
    return this.#broken("must not write to standard output, and its results must be JSON of at most 64 MiB");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.limits.signal?.removeEventListener("abort", this.#kill);
    this.#kill();
    await Promise.allSettled([
      this.#writer.close(),
      this.#child.status,
      this.#errors,
      this.#replies.return(undefined),
    ]);
  }

  async #send(messages: readonly unknown[]): Promise<void> {
    const encoder = new TextEncoder();
    for (const message of messages) {
      await this.#writer.write(encoder.encode(`${JSON.stringify(message)}\n`));
    }
  }

  /** Returns the next reply. @throws the reason why there is none */
  async #reply(batches: number): Promise<Record<string, unknown>> {
    const { batchMs = 60_000, memoryBytes = DEFAULT_MEMORY, signal } = this.limits;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#kill();
    }, batchMs * batches);
    const { value, done } = await this.#replies.next().finally(() => clearTimeout(timer));
    if (!done) return this.#parsed(value);
    const { what, path } = this.called;
    if (signal?.aborted) {
      throw new TryAgainError(`Interrupted: ${what} ${path} was stopped. Run the same command to resume`);
    }
    if (isLate) {
      throw this.#broken(`must return within ${batchMs / 1000} s per batch of ${BATCH}, got no result`);
    }
    // Its output has ended, but it may still run.
    const end = setTimeout(this.#kill, END_MS);
    const { code, signal: by } = await this.#child.status.finally(() => clearTimeout(end));
    const [text, limit] = [await this.#errors, `memory limit ${memoryBytes / 2 ** 20} MiB`];
    throw this.#broken(
      `must not end its process, got ${by ?? `exit code ${code}`} (${limit})${text && `\n${text}`}`,
    );
  }

  #parsed(line: string): Record<string, unknown> {
    let reply: unknown;
    try {
      reply = JSON.parse(line, decoded);
    } catch {
      throw this.noProtocol();
    }
    if (typeof reply !== "object" || reply === null) throw this.noProtocol();
    return reply as Record<string, unknown>;
  }

  #broken(why: string): DataError {
    this.#kill();
    const { what, path } = this.called;
    return new DataError(`${what} ${path} ${why}`, { file: path });
  }
}

const DEFAULT_MEMORY = 2 ** 30;
/** Bytes per core for the stacks of Deno's threads. */
const STACK = 2 ** 24;

/**
 * Returns the command of a module's process: it ends with this process, has a memory limit and no environment but a few
 * variables, and may read the module and nothing else.
 */
function confined(
  { path, name, what }: UserFunction,
  mode: string,
  { memoryBytes = DEFAULT_MEMORY }: UserModuleLimits,
): Deno.Command {
  const file = resolve(path);
  if (file.includes(",")) throw new UsageError(`The path of a module must have no comma, got ${path}`);
  try {
    Deno.statSync(file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`Failed to load ${what} ${path}: ${why}`, { cause });
  }
  const programs = confiningPrograms();
  if (!programs) {
    throw new UnavailableError(
      `${what} ${path} runs in a confined process, which requires the programs setpriv and prlimit: install util-linux`,
    );
  }
  const data = memoryBytes + STACK * navigator.hardwareConcurrency;
  return new Deno.Command(programs.setpriv, {
    args: [
      ...["--pdeathsig", "KILL", programs.prlimit, `--data=${data}`, "--core=0"],
      ...[Deno.execPath(), "run", "--quiet", "--no-prompt", "--no-config", "--no-lock"],
      ...["--no-remote", "--no-npm", "--cached-only", `--allow-read=${file}`],
      ...[HOST, pathToFileURL(file).href, name, mode],
    ],
    clearEnv: true,
    env: keptEnvironment(),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Returns the variables that a module's process gets. It has no cache: Deno would need a home directory for one. */
function keptEnvironment(): Record<string, string> {
  const kept: Record<string, string> = { DENO_DIR: "/dev/null/deno", DENO_NO_UPDATE_CHECK: "1" };
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

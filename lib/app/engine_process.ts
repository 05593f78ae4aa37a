/**
 * A served model in a process of its own, which may read the model and nothing else that is the user's: no file is written, and
 * there is no network. When the process ends, its memory is free, and an error in native code ends only this model.
 * @module
 */
import { join } from "node:path";
import { DataError, EXIT, TryAgainError, UnavailableError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { childCommand, sendSignal } from "@/lib/data/files/child_command.ts";
import type { Completion, CompletionChoice, CompletionRequest } from "@/lib/model/serve/completion.ts";
import type { CompletionControl } from "@/lib/model/serve/engine.ts";
import { linesOf } from "@/lib/pipeline/engine/lines_of.ts";
import type { EngineInput, EngineOutput, EngineSettings } from "./engine_messages.ts";
import { projectRoot } from "./project_root.ts";
import { permissionFlags } from "./relaunch.ts";

interface Call {
  readonly onPart: ((part: CompletionChoice) => void) | undefined;
  readonly resolve: (completion: Completion) => void;
  readonly reject: (error: unknown) => void;
}

/** Milliseconds that a process has to end after its input has ended. */
const END_MS = 2000;
const MAIN = new URL("./engine_main.ts", import.meta.url);

/** A running process with a loaded model. */
export class EngineProcess {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #calls = new Map<number, Call>();
  readonly #ready = Promise.withResolvers<void>();
  #next = 0;
  #failed: Error | undefined;
  /** resolves when the process has ended */
  readonly ended: Promise<void>;

  private constructor(readonly child: Deno.ChildProcess, directory: string) {
    this.#writer = child.stdin.getWriter();
    this.ended = this.#read(directory);
  }

  /**
   * Starts the process and waits until the model is loaded.
   * @param read directories and files that the model consists of
   * @throws {DataError} if a file of the model is invalid
   */
  static async start(settings: EngineSettings, read: readonly string[]): Promise<EngineProcess> {
    const code = ["deno.json", "deno.lock", "lib", "node_modules"].map((name) => join(projectRoot, name));
    const templates = settings.template?.endsWith(".jinja") ? [settings.template] : [];
    const system = ["/proc/cpuinfo", "/sys/devices/system/cpu"];
    const flags = permissionFlags({
      read: [...code, ...read, ...templates, ...system],
      write: [],
      ffi: true,
    });
    const config = `--config=${join(projectRoot, "deno.json")}`;
    const words = ["run", "--cached-only", config, ...flags, MAIN.href, JSON.stringify(settings)];
    const child = childCommand(Deno.execPath(), words, { stdin: "piped", stdout: "piped", stderr: "inherit" })
      .spawn();
    const process = new EngineProcess(child, settings.directory);
    try {
      await process.#ready.promise;
      return process;
    } catch (error) {
      await process.close();
      throw error;
    }
  }

  /** Completes a request; see `Engine.complete()`. @throws {UnavailableError} if the process has ended */
  async complete(
    request: CompletionRequest,
    { signal, onPart }: CompletionControl = {},
  ): Promise<Completion> {
    signal?.throwIfAborted();
    if (this.#failed) throw this.#failed;
    const id = this.#next++, { promise, resolve, reject } = Promise.withResolvers<Completion>();
    const cancel = () => {
      this.#send({ cancel: id });
      reject(signal!.reason);
    };
    this.#calls.set(id, { onPart, resolve, reject });
    signal?.addEventListener("abort", cancel);
    this.#send({ id, request });
    try {
      return await promise;
    } finally {
      signal?.removeEventListener("abort", cancel);
      this.#calls.delete(id);
    }
  }

  /** Ends the process; requests in progress fail. Resolves when its memory is free. */
  async close(): Promise<void> {
    const timer = setTimeout(() => sendSignal(this.child, "SIGKILL"), END_MS);
    await this.#writer.close().catch(() => {});
    await this.ended;
    clearTimeout(timer);
  }

  #send(message: EngineInput): void {
    // A process that has ended is noticed by the end of its output.
    this.#writer.write(new TextEncoder().encode(JSON.stringify(message) + "\n")).catch(() => {});
  }

  async #read(directory: string): Promise<void> {
    for await (const line of linesOf(this.child.stdout)) this.#take(JSON.parse(line));
    const { code, signal } = await this.child.status;
    const how = signal ?? `exit code ${code}`;
    this.#failed ??= new UnavailableError(`The process of model ${directory} has ended, got ${how}`);
    this.#ready.reject(this.#failed);
    this.#ready.promise.catch(() => {});
    for (const { reject } of this.#calls.values()) reject(this.#failed);
  }

  #take(message: EngineOutput): void {
    if ("ready" in message) return this.#ready.resolve();
    if ("failed" in message) {
      this.#failed = errorOf(message.failed, message.exitCode);
      return;
    }
    const call = this.#calls.get(message.id);
    if ("part" in message) call?.onPart?.(message.part);
    else if ("completion" in message) call?.resolve(message.completion);
    else call?.reject(errorOf(message.error, message.exitCode));
  }
}

/** Returns the project's error for an exit code. */
function errorOf(message: string, exitCode: number): Error {
  if (exitCode === EXIT.usage) return new UsageError(message);
  if (exitCode === EXIT.badData) return new DataError(message);
  if (exitCode === EXIT.tryAgain) return new TryAgainError(message);
  return new UnavailableError(message);
}

/**
 * The run directory, used by one run at a time: `run.jsonl` has every event, `run.lock.yaml` every resolved parameter and
 * input digest, `outputs/` the outputs that the manifest names.
 * @module
 */
import { join } from "node:path";
import { parse, stringify } from "yaml";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { writeError } from "@/lib/data/files/file_errors.ts";
import { TryAgainError } from "@/lib/compute/tensor/errors.ts";
import type { Blueprint } from "./blueprint.ts";
import { type FileLock, isLocked, waitForLock } from "./file_lock.ts";
import type { KeyParts } from "./key.ts";
import type { Tree } from "./tree.ts";

/** What run.lock.yaml holds: every resolved parameter and input digest of the last run. */
export interface RunLock {
  readonly manifest: string;
  readonly seed: number;
  readonly inputs: Readonly<Record<string, { readonly path: string; readonly digest: string } | null>>;
  /** by node, `ppo.update[3]` */
  readonly nodes: Readonly<Record<string, KeyParts & { readonly key: string }>>;
}

/** Reads run.lock.yaml of `runDir`; undefined if there is none or it is damaged. */
export function readRunLock(runDir: string): RunLock | undefined {
  try {
    const lock = parse(Deno.readTextFileSync(join(runDir, "run.lock.yaml"))) as RunLock;
    return { ...lock, inputs: lock.inputs ?? {}, nodes: lock.nodes ?? {} };
  } catch {
    // Edited by a user, or the machine stopped while a line was written.
    return undefined;
  }
}

/** Returns a function that gives the key parts of a node in the run.lock.yaml of `runDir`, if it has them. */
export function lockedParts(runDir: string): (node: string) => KeyParts | undefined {
  let text: string | undefined;
  try {
    text = Deno.readTextFileSync(join(runDir, "run.lock.yaml"));
  } catch {
    // The first run here.
  }
  // Parsed on demand: a run whose stages are all cached never needs it.
  let nodes: Readonly<Record<string, KeyParts | undefined>> | undefined;
  return (node) => {
    nodes ??= text === undefined ? {} : nodesIn(text);
    return nodes[node];
  };
}

function nodesIn(text: string): Readonly<Record<string, KeyParts | undefined>> {
  try {
    const { nodes } = parse(text) as Partial<RunLock>;
    return Object.fromEntries(Object.entries(nodes ?? {}).map(([id, { key: _, ...parts }]) => [id, parts]));
  } catch {
    // Edited by a user, or the machine stopped while a line was written: only the reasons are lost.
    return {};
  }
}

/**
 * Holds the run directory `dir` for this process, and creates it if it does not exist.
 * @param patienceMs how long to wait for another process, which may be about to end
 * @throws {TryAgainError} if another process holds it
 * @throws {UsageError} if it cannot be written
 */
export async function holdRunDirectory(dir: string, patienceMs: number): Promise<RunDirectory> {
  try {
    Deno.mkdirSync(dir, { recursive: true });
    const pidFile = join(dir, "run.pid");
    const lock = await waitForLock(pidFile, AbortSignal.timeout(patienceMs));
    if (lock) return new RunDirectory(dir, lock);
    const holder = Deno.readTextFileSync(pidFile).trim() || "another process";
    throw new TryAgainError(`Run directory ${dir} is in use by ${holder}`);
  } catch (cause) {
    throw writeError(dir, cause);
  }
}

/** Returns the process that holds the run directory `dir`; undefined if none does. */
export function holderOf(dir: string): number | undefined {
  const path = join(dir, "run.pid");
  if (!isLocked(path)) return undefined;
  return Number(/^process (\d+)/.exec(Deno.readTextFileSync(path))?.[1]) || undefined;
}

/** A run directory that this process holds. */
export class RunDirectory implements Disposable {
  /** returns the key parts of a node in the last run here */
  readonly before: (node: string) => KeyParts | undefined;
  readonly #planFile: string;
  readonly #lock: FileLock;
  readonly #log: Deno.FsFile;

  constructor(readonly dir: string, lock: FileLock) {
    this.#lock = lock;
    lock.note(`process ${Deno.pid}, since ${new Date().toISOString()}\n`);
    this.before = lockedParts(dir);
    this.#planFile = join(dir, "run.lock.yaml");
    this.#log = Deno.openSync(join(dir, "run.jsonl"), { create: true, append: true, write: true });
  }

  /** Adds an event to run.jsonl. */
  log(event: RunEvent): void {
    try {
      this.#log.writeSync(new TextEncoder().encode(`${JSON.stringify(event)}\n`));
    } catch (cause) {
      throw writeError(join(this.dir, "run.jsonl"), cause);
    }
  }

  /** Begins a new run.lock.yaml. */
  begin({ manifest, seed, inputs: paths }: Blueprint, trees: Readonly<Record<string, Tree | null>>): void {
    const inputs = Object.fromEntries(
      Object.entries(trees).map(([name, tree]) => [name, tree && { path: paths[name], digest: tree.digest }]),
    );
    const head = stringify({ manifest, seed, inputs }, { lineWidth: 0 });
    const comment =
      "# Every resolved parameter and input digest of the last run here. Written by the pipeline.";
    Deno.writeTextFileSync(this.#planFile, `${comment}\n${head}nodes:\n`);
  }

  /** Adds a node to run.lock.yaml. */
  record(node: string, key: string, parts: KeyParts): void {
    const entry = stringify({ [node]: { key, ...parts } }, { lineWidth: 0 });
    Deno.writeTextFileSync(this.#planFile, entry.replace(/^(?=.)/gm, "  "), { append: true });
  }

  /** Releases the directory. */
  [Symbol.dispose](): void {
    this.#log.close();
    this.#lock.note("");
    this.#lock[Symbol.dispose]();
  }
}

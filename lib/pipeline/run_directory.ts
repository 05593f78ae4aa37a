/**
 * The run directory: one run at a time holds it. `run.jsonl` gets every event, `run.lock.yaml` every resolved parameter
 * and input digest, `outputs/` what the manifest asks for.
 * @module
 */
import { join } from "node:path";
import { parse, stringify } from "yaml";
import type { RunEvent } from "@/lib/contracts/events.ts";
import { writeError } from "@/lib/files/file_errors.ts";
import { TryAgainError } from "@/lib/tensor/errors.ts";
import type { Blueprint } from "./blueprint.ts";
import { waitForLock } from "./file_lock.ts";
import type { KeyParts } from "./key.ts";
import type { Tree } from "./tree.ts";

/** A run directory that this process holds. */
export interface RunDirectory extends Disposable {
  readonly dir: string;
  readonly log: (event: RunEvent) => void;
  /** what the key of a node was made of when it was last met here */
  readonly before: (node: string) => KeyParts | undefined;
  /** begins a new run.lock.yaml */
  readonly begin: (blueprint: Blueprint, inputs: Readonly<Record<string, Tree | null>>) => void;
  /** adds a node to run.lock.yaml */
  readonly record: (node: string, key: string, parts: KeyParts) => void;
}

/** The parts of the keys in the run.lock.yaml of `runDir`, by node; none where there is no such file. */
export function lockedParts(runDir: string): (node: string) => KeyParts | undefined {
  let text: string | undefined;
  try {
    text = Deno.readTextFileSync(join(runDir, "run.lock.yaml"));
  } catch {
    // The first run here.
  }
  // Read when somebody asks: a run with everything in the store never does.
  let nodes: Readonly<Record<string, KeyParts | undefined>> | undefined;
  return (node) => {
    nodes ??= text === undefined ? {} : nodesIn(text);
    return nodes[node];
  };
}

function nodesIn(text: string): Readonly<Record<string, KeyParts | undefined>> {
  try {
    const { nodes } = parse(text) as { nodes?: Record<string, KeyParts & { key: string }> };
    return Object.fromEntries(Object.entries(nodes ?? {}).map(([id, { key: _, ...parts }]) => [id, parts]));
  } catch {
    // Somebody edited it, or the machine died while a line was written: reasons are lost, nothing else.
    return {};
  }
}

/**
 * Makes `dir` if it is not there and holds it.
 * @param patienceMs how long to wait for another process, which may just be ending
 * @throws {TryAgainError} if another process holds it
 * @throws {UsageError} if it cannot be written
 */
export async function holdRunDirectory(dir: string, patienceMs: number): Promise<RunDirectory> {
  const paths = { lock: join(dir, "run.pid"), log: join(dir, "run.jsonl"), plan: join(dir, "run.lock.yaml") };
  try {
    Deno.mkdirSync(dir, { recursive: true });
    const lock = await waitForLock(paths.lock, AbortSignal.timeout(patienceMs));
    if (!lock) {
      const holder = Deno.readTextFileSync(paths.lock).trim();
      throw new TryAgainError(
        `Cannot use run directory ${dir} as one run at a time may hold it: ${
          holder || "another process"
        } does`,
      );
    }
    lock.note(`process ${Deno.pid}, since ${new Date().toISOString()}\n`);
    const before = lockedParts(dir);
    const log = Deno.openSync(paths.log, { create: true, append: true, write: true });
    return {
      dir,
      before,
      log: (event) => {
        try {
          log.writeSync(new TextEncoder().encode(`${JSON.stringify(event)}\n`));
        } catch (cause) {
          throw writeError(paths.log, cause);
        }
      },
      begin: (blueprint, inputs) => {
        before("");
        Deno.writeTextFileSync(paths.plan, header(blueprint, inputs));
      },
      record: (node, key, parts) => {
        const entry = stringify({ [node]: { key, ...parts } }, { lineWidth: 0 });
        Deno.writeTextFileSync(paths.plan, entry.replace(/^(?=.)/gm, "  "), { append: true });
      },
      [Symbol.dispose](): void {
        log.close();
        lock.note("");
        lock[Symbol.dispose]();
      },
    };
  } catch (cause) {
    throw writeError(dir, cause);
  }
}

function header(blueprint: Blueprint, inputs: Readonly<Record<string, Tree | null>>): string {
  const given = Object.fromEntries(
    Object.entries(inputs).map((
      [name, tree],
    ) => [name, tree && { path: blueprint.inputs[name], digest: tree.digest }]),
  );
  const head = stringify({ manifest: blueprint.manifest, seed: blueprint.seed, inputs: given }, {
    lineWidth: 0,
  });
  return `# Every resolved parameter and input digest of the last run here. Written by the pipeline.\n${head}nodes:\n`;
}

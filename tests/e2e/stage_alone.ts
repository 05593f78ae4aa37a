/** Runs one stage of a finished pipeline again with `deno task stage`, on the files in its run.lock.yaml. @module */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { parse } from "yaml";
import { parseRecord } from "@/lib/pipeline/engine/action_record.ts";
import { stages } from "@/lib/app/registry.ts";
import type { InputDigest, KeyParts } from "@/lib/pipeline/engine/key.ts";
import { runTask, type Task } from "@/lib/pipeline/engine/task.ts";
import { readTree, statOf } from "@/lib/pipeline/engine/tree.ts";
import { EXIT, exitCodeOf } from "@/lib/compute/tensor/errors.ts";
import { finish, launch } from "@/tests/support/launch.ts";
import type { SmallQuickstart } from "./small_quickstart.ts";

interface Lock {
  readonly inputs: Readonly<Record<string, { readonly path: string; readonly digest: string } | null>>;
  readonly nodes: Readonly<Record<string, KeyParts & { readonly key: string }>>;
}

/** Runs the stage of `node` in the finished run `run` alone and compares every output with the store's. */
export async function runAlone(quickstart: SmallQuickstart, run: string, node: string): Promise<void> {
  const lock = parse(Deno.readTextFileSync(join(quickstart.file(run), "run.lock.yaml"))) as Lock;
  const { key, stage, params, inputs, seed, iteration } = lock.nodes[node]!;
  const paths = pathsByDigest(join(quickstart.file(run), "store"), lock);
  const record = readRecord(join(quickstart.file(run), "store"), key);
  const to = (port: string) => quickstart.file(`alone/${node}/${record.names[port]}`);
  const args = [
    ...Object.entries(inputs).flatMap(([port, value]) => {
      if (typeof value === "string") return [`--in.${port}=${paths.get(value)}`];
      if (Array.isArray(value)) return value.map((digest) => `--in.${port}=${paths.get(digest)}`);
      return Object.entries(value).map(([name, digest]) => `--in.${port}.${name}=${paths.get(digest)}`);
    }),
    ...Object.keys(record.outputs).map((port) => `--out.${port}=${to(port)}`),
    ...Object.entries(params).map(([name, value]) =>
      `--${name}=${typeof value === "string" ? value : JSON.stringify(value)}`
    ),
    ...(seed === undefined ? [] : [`--seed=${seed}`, `--iteration=${iteration}`]),
  ];
  const { code, err } = await finish(launch(["stage", stage, ...args]));
  assertEquals([code, err], [0, ""], node);
  for (const [port, tree] of Object.entries(record.outputs)) {
    assertEquals(readTree(to(port)), tree, `${node}: ${port}`);
  }
}

/** Runs the stage of `node` on the same files with a signal that is already aborted, and returns its exit code. */
export async function runInterrupted(
  quickstart: SmallQuickstart,
  run: string,
  node: string,
): Promise<number> {
  const { task } = await taskOf(quickstart, run, node, `interrupted/${node}`);
  try {
    const stage = await stages.load(task.stage);
    await runTask(stage, task, { signal: AbortSignal.abort(), progress: () => {} });
    return EXIT.ok;
  } catch (error) {
    return exitCodeOf(error);
  }
}

/**
 * Returns the task of `node` in a finished run, with its outputs and its scratch directory in the folder `home`.
 * @returns also the paths of the run's own outputs, by port
 */
export async function taskOf(
  quickstart: SmallQuickstart,
  run: string,
  node: string,
  home: string,
): Promise<{ readonly task: Task; readonly outputs: Readonly<Record<string, string>> }> {
  const lock = parse(Deno.readTextFileSync(join(quickstart.file(run), "run.lock.yaml"))) as Lock;
  const { key, stage: id, params, inputs, seed = 0, iteration = 0 } = lock.nodes[node]!;
  const store = join(quickstart.file(run), "store"), paths = pathsByDigest(store, lock);
  const pathsOf = (value: InputDigest) => {
    if (typeof value === "string") return paths.get(value)!;
    if (Array.isArray(value)) return value.map((digest) => paths.get(digest)!);
    return Object.fromEntries(Object.entries(value).map(([name, digest]) => [name, paths.get(digest)!]));
  };
  const stage = await stages.load(id), folder = quickstart.file(home);
  Deno.mkdirSync(folder, { recursive: true });
  const task: Task = {
    version: 1,
    stage: id,
    params,
    inputs: Object.fromEntries(Object.entries(inputs).map(([port, value]) => [port, pathsOf(value)])),
    outputs: Object.fromEntries(Object.keys(stage.outputs).map((port) => [port, join(folder, port)])),
    seed,
    iteration,
    threads: 2,
    scratch: join(folder, "scratch"),
  };
  const { outputs } = readRecord(store, key);
  const made = Object.entries(outputs).map(([port, { digest }]) => [port, paths.get(digest)!] as const);
  return { task, outputs: Object.fromEntries(made) };
}

/** Returns the paths of the run's inputs and of all views in the store, by digest. */
function pathsByDigest(store: string, lock: Lock): Map<string, string> {
  const paths = new Map<string, string>();
  for (const input of Object.values(lock.inputs)) if (input) paths.set(input.digest, input.path);
  for (const { name } of Deno.readDirSync(join(store, "actions"))) {
    if (!name.endsWith(".json")) continue;
    const record = readRecord(store, name.slice(0, -5));
    for (const [port, { digest }] of Object.entries(record.outputs)) {
      const path = join(store, "views", record.key, record.names[port]!);
      // The view of an earlier iteration's model may have been pruned.
      if (statOf(path) !== undefined) paths.set(digest, path);
    }
  }
  return paths;
}

function readRecord(store: string, key: string) {
  return parseRecord(Deno.readTextFileSync(join(store, "actions", `${key}.json`)))!;
}

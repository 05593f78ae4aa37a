/**
 * Estimates the memory that a run needs and the disk that the rest of it needs, from the sizes of the models it starts from.
 *
 * With M the bytes of the largest model among the inputs, as f32:
 * - disk: every model that is written and kept takes M, every optimizer state 2 M; a loop keeps what `keep` says, plus
 *   the current iteration, and never more than what is still to run: cached stages need no space. A directory of models counts as one, as their number is not known yet. Everything else counts
 *   as 64 MiB.
 * - memory: the stage that needs most. Each model that it reads takes M; one that it writes is trained: weights,
 *   gradient and two moments, 4 M. 1 GiB for the runtime and activations is added, and what loops with `publish` keep in
 *   memory only: models and states (moments of policy and critic, 4 M) of two iterations. Files that are in memory and in
 *   the store take free memory only.
 *   The models of a reward stay in memory between stages: M for each of those that it is built from.
 * @module
 */
import { statfsSync } from "node:fs";
import type { Contract, Estimate } from "@/lib/data/contracts/stage.ts";
import { TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { allStages, type Blueprint, referencesOf, type StagePlan } from "./blueprint.ts";
import { contractsOf } from "./ports.ts";
import { type Tree, treeBytes } from "./tree.ts";
import { largest } from "@/lib/compute/tensor/large_lists.ts";

const MIB = 2 ** 20;

/**
 * Returns the memory of the whole run, and the disk that is still needed.
 * @param inputs the manifest's inputs by name
 * @param toRun how many actions of each stage (by its path) are not cached
 */
export function estimateSpace(
  blueprint: Blueprint,
  inputs: Readonly<Record<string, Tree | null>>,
  toRun: ReadonlyMap<string, number>,
): Estimate {
  const model = largest(Object.values(inputs).map((tree) => tree && isModel(tree) ? f32Bytes(tree) : 0), 0);
  let disk = 64 * MIB;
  let memory = 0, handedOver = 0;
  for (const plan of allStages(blueprint)) {
    const ports = Object.entries(plan.stage.outputs).flatMap(([name, port]) =>
      Object.hasOwn(plan.omits, name) ? [] : [port]
    );
    const written = (wanted: Contract) => ports.filter((port) => contractsOf(port)[0] === wanted).length;
    const models = written("model");
    if (plan.block?.kind === "iterate" && plan.block.publish > 1) {
      const inMemory = ports.filter((port) => port.handedOver);
      for (const port of inMemory) handedOver += 2 * model * (contractsOf(port)[0] === "state" ? 4 : 1);
    }
    const copies = Math.min(kept(plan, blueprint), toRun.get(plan.path) ?? 0);
    disk += copies * model * (models + written("models") + 2 * written("state"));
    const read = Object.values(plan.stage.inputs).filter((port) => contractsOf(port)[0] === "model").length;
    memory = Math.max(memory, model * (read + 4 * models));
  }
  const frozen = model * largest(allStages(blueprint).map(frozenModels), 0);
  return { memoryBytes: memory + frozen + handedOver + 1024 * MIB, diskBytes: disk };
}

/** Returns how many models stay in memory to compute the reward that a stage builds, or that is an input of the manifest. */
function frozenModels({ stage, bindings }: StagePlan): number {
  const ports = Object.entries(bindings).map(([name, binding]) => ({
    contract: contractsOf(stage.inputs[name]!)[0],
    references: referencesOf(binding),
  }));
  const models = ports.filter(({ contract }) => contract === "model")
    .flatMap(({ references }) => references)
    .reduce((sum, of) => sum + (of.from === "all" ? of.stage.block?.count ?? 1 : 1), 0);
  const builds = Object.values(stage.outputs).some((port) => contractsOf(port)[0] === "reward");
  const given = ports.some(({ contract, references }) =>
    contract === "reward" && references.some(({ from }) => from === "input")
  );
  return builds ? models : given ? models + 1 : 0;
}

/** Returns how many copies of a stage's models stay in the store. */
function kept(plan: StagePlan, { keep }: Blueprint): number {
  if (!plan.block) return 1;
  if (plan.block.kind === "foreach" || keep === "all") return plan.block.count;
  const best = (keep.best_metric === null ? 0 : 1) + (plan.block.best ? 1 : 0);
  return Math.min(plan.block.count, Math.max(keep.states, keep.policies) + best + 1);
}

/**
 * Compares the estimate with the free space.
 * @returns fields of the event `estimated`
 * @throws {TryAgainError} if the disk is too small
 */
export function checkSpace(
  blueprint: Blueprint,
  inputs: Readonly<Record<string, Tree | null>>,
  toRun: ReadonlyMap<string, number>,
  storeDir: string,
): { memory_bytes: number; disk_bytes: number; memory_free_bytes: number; disk_free_bytes: number } {
  const { memoryBytes, diskBytes } = estimateSpace(blueprint, inputs, toRun);
  const { bavail, bsize } = statfsSync(storeDir);
  const free = bavail * bsize;
  if (free < diskBytes) {
    throw new TryAgainError(
      `Not enough disk space: need ${mib(diskBytes)} in ${storeDir}, ${mib(free)} available ` +
        `(reduce "keep" in the manifest, or set --store to another disk)`,
    );
  }
  return {
    memory_bytes: memoryBytes,
    disk_bytes: diskBytes,
    memory_free_bytes: Deno.systemMemoryInfo().available,
    disk_free_bytes: free,
  };
}

function isModel(tree: Tree): boolean {
  return Object.keys(tree.files).some((name) => name.endsWith(".safetensors"));
}

/** Returns bytes of a model's weights as f32. File sizes do not show whether weights are bf16, which double. */
function f32Bytes(tree: Tree): number {
  return treeBytes(tree) * 2;
}

function mib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}

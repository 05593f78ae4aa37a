import { assertEquals } from "@std/assert";
import { z } from "zod";
import { defineStage, type Ports } from "@/lib/data/contracts/stage.ts";
import type { Binding, Blueprint, Reference, StagePlan } from "./blueprint.ts";
import { estimateSpace } from "./check_space.ts";
import type { Tree } from "./tree.ts";

const MIB = 2 ** 20;

/** A model of 10 MiB on disk counts as 20 MiB: its weights may be bf16. */
const MODEL: Tree = {
  kind: "directory",
  digest: "0".repeat(64),
  files: { "model.safetensors": { digest: "0".repeat(64), size: 10 * MIB } },
};

function planOf(id: string, inputs: Ports, outputs: Ports, bindings: Record<string, Binding>): StagePlan {
  const stage = defineStage({
    id,
    summary: "",
    params: z.strictObject({}),
    inputs,
    outputs,
    random: false,
    run: () => Promise.resolve(),
  });
  return {
    path: id,
    name: id,
    stage,
    params: {},
    needs: {},
    omits: {},
    bindings,
    seedLabel: id,
    every: 1,
  };
}

const input = (name: string): Reference => ({ from: "input", name });

Deno.test("the memory estimate counts every model of a reward: they stay loaded between iterations", () => {
  const estimateOf = (members: number): number => {
    const references = Array.from({ length: members }, () => input("model"));
    const reward = planOf(
      "build-reward",
      {
        members: { contract: ["model", "models"], description: "", many: "list" },
        base: { contract: "model", description: "" },
      },
      { reward: { contract: "reward", description: "" } },
      { members: { kind: "list", references }, base: { kind: "one", reference: input("model") } },
    );
    const blueprint: Blueprint = {
      manifest: "m.yaml",
      seed: 0,
      inputs: { model: "model" },
      entries: [reward],
      outputs: {},
      keep: "all",
      warnings: [],
    };
    return estimateSpace(blueprint, { model: MODEL }, new Map()).memoryBytes;
  };
  assertEquals(estimateOf(9) - estimateOf(1), 8 * 20 * MIB);
});

Deno.test("the disk estimate counts only stages that are still to run", () => {
  const train = planOf(
    "sft",
    { model: { contract: "model", description: "" } },
    { policy: { contract: "model", description: "" } },
    { model: { kind: "one", reference: input("model") } },
  );
  const blueprint: Blueprint = {
    manifest: "m.yaml",
    seed: 0,
    inputs: { model: "model" },
    entries: [train],
    outputs: {},
    keep: "all",
    warnings: [],
  };
  const disk = (toRun: number) =>
    estimateSpace(blueprint, { model: MODEL }, new Map([["sft", toRun]])).diskBytes / MIB;
  assertEquals([disk(0), disk(1)], [64, 84]);
});

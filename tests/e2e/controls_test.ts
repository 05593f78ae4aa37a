/**
 * The manifests of the controls: what they have in common with the quickstart, so that a store computes it once, and a small
 * run of each of them.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { readEvals } from "@/lib/data/contracts/evals.ts";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { readManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { finish, launch } from "@/tests/support/launch.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { counts, firstRows, ran } from "./small_quickstart.ts";

/** Settings of a small run of a method that compares responses to one prompt. */
const inGroups = (name: string) => [
  `${name}.count=2`,
  `${name}.rollout.prompts_per_iteration=4`,
  `${name}.rollout.samples_per_prompt=4`,
  `${name}.rollout.max_new_tokens=12`,
  `${name}.update.minibatch_size=8`,
  `${name}.update.epochs=1`,
];

/** By name: the stages that the quickstart does not have, and settings for a small run. */
const CONTROLS: Readonly<
  Record<string, { readonly own: readonly string[]; readonly settings: readonly string[] }>
> = {
  best_of_n: {
    own: ["responses", "scored", "winners", "best_of_n"],
    settings: ["responses.samples_per_prompt=3", "responses.max_new_tokens=40", "best_of_n.epochs=1"],
  },
  dpo: {
    own: ["responses", "scored", "pairs", "dpo"],
    settings: ["responses.samples_per_prompt=3", "responses.max_new_tokens=40"],
  },
  spin: {
    own: ["openings", "spin"],
    settings: ["spin.count=2", "spin.responses.max_new_tokens=12", "spin.update.epochs=1"],
  },
  reinforce: {
    own: ["reinforce"],
    settings: [
      "reinforce.count=2",
      "reinforce.rollout.prompts_per_iteration=16",
      "reinforce.rollout.max_new_tokens=12",
      "reinforce.update.minibatch_size=8",
      "reinforce.update.epochs=1",
    ],
  },
  grpo: { own: ["grpo"], settings: inGroups("grpo") },
  dr_grpo: { own: ["dr_grpo"], settings: [...inGroups("dr_grpo"), "dr_grpo.update.max_new_tokens=12"] },
  dapo: { own: ["dapo"], settings: inGroups("dapo") },
};

const SHARED = [
  "sft.max_updates=60", // enough for some responses to end with EOS
  "eval.max_new_tokens=12",
  "eval.modes=[greedy]",
];

const WITH_REWARD = [
  "members.count=2",
  "members.sft.max_updates=4",
  "members.sft.batch_size=8",
  "reward.max_new_tokens=12",
  "reward.calibration_prompts=8",
];

async function stagesOf(name: string): Promise<Readonly<Record<string, unknown>>> {
  const path = `pipelines/${name}.yaml`;
  return (await readManifest(join(projectRoot, path), path)).manifest.stages;
}

for (const [name, { own }] of Object.entries(CONTROLS)) {
  Deno.test(`${name} has the quickstart's stages, except its own`, async () => {
    const quickstart = await stagesOf("quickstart"), control = await stagesOf(`controls/${name}`);
    const hasReward = "reward" in control, shared = hasReward ? ["sft", "members", "reward"] : ["sft"];
    assertEquals(Object.keys(control).sort(), ["tokenize", ...shared, ...own, "eval"].sort());
    for (const stage of shared) assertEquals(control[stage], quickstart[stage], stage);
    // Except for the rollouts, both stages read the same.
    const { rollouts: _, ...read } = (quickstart.tokenize as { in: Record<string, unknown> }).in;
    const { rollouts: __, ...reads } = (control.tokenize as { in: Record<string, unknown> }).in;
    assertEquals(reads, read);
    const [plain, other] = [quickstart.eval, control.eval] as {
      in: Record<string, unknown>;
      with: unknown;
    }[];
    assertEquals(other!.with, plain!.with);
    assertEquals(other!.in.models, { base: "inputs.base", sft: "sft.policy", [name]: `${name}.policy` });
  });
}

Deno.test("every control runs to its end, and SFT, members and reward are cached for the next one", async () => {
  using directory = new TemporaryDirectory();
  const inputs = ([["demos", 40], ["prompts", 24], ["eval", 12]] as const).map(([name, rows]) =>
    directory.write(`${name}.jsonl`, firstRows(`fixtures/quickstart/${name}.jsonl`, rows))
  );
  const store = directory.file("store"), cached: Record<string, number> = {};
  for (const [name, { own, settings }] of Object.entries(CONTROLS)) {
    const { code, out, err } = await finish(launch([
      "pipeline",
      `pipelines/controls/${name}.yaml`,
      "--run-dir",
      directory.file(name),
      "--store",
      store,
      ...["demonstrations", "prompts", "eval_prompts"].flatMap((
        port,
        i,
      ) => ["--input", `${port}=${inputs[i]}`]),
      ...[...SHARED, ...(name === "spin" ? [] : WITH_REWARD), ...settings].flatMap((one) => ["--set", one]),
      "--threads",
      "2",
      "--json",
    ]));
    assertEquals(code, 0, err);
    const events = out.trim().split("\n").map((line) => JSON.parse(line) as RunEvent);
    assert(ran(events).some((at) => own.some((stage) => at.startsWith(stage))));
    cached[name] = counts(events).cached;
    const evals = readEvals(join(directory.file(name), "outputs", "evals.arrow"));
    assertEquals(new Set(evals.map(({ model }) => model)), new Set(["base", "sft", name]));
    const kl = evals.find(({ model, metric }) => model === name && metric === "kl_to_sft");
    assert(kl!.mean !== 0, `${name} must differ from SFT`);
  }
  // tokenize, SFT, two members and the reward; dpo also uses best_of_n's responses and their rewards, dr_grpo and dapo the first
  // iteration's of grpo.
  assertEquals(cached, { best_of_n: 0, dpo: 7, spin: 2, reinforce: 5, grpo: 5, dr_grpo: 7, dapo: 7 });
});

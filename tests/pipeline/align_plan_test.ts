/** Tests the plan of align.yaml: who follows SFT's learning rate, and what it requires. @module */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { stages } from "@/lib/app/registry.ts";
import { ManifestError } from "@/lib/compute/tensor/errors.ts";
import { allStages, type Blueprint, referencesOf } from "@/lib/pipeline/engine/blueprint.ts";
import { readManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { makeBlueprint } from "@/lib/pipeline/engine/plan.ts";
import { applySettings, parseSettings } from "@/lib/pipeline/engine/settings.ts";

/** Plans align.yaml with settings. */
async function planned(...settings: readonly string[]): Promise<Blueprint> {
  const file = "pipelines/align.yaml", source = await readManifest(join(projectRoot, file), file);
  const manifest = applySettings(source.manifest, parseSettings(settings));
  const none = { prompts: null, eval_prompts: null, checker: null };
  const inputs = { base: "/base", demonstrations: "/demos.jsonl", ...none };
  return await makeBlueprint({ ...source, manifest }, stages, { inputs });
}

Deno.test("members, PPO and continued SFT of align.yaml follow SFT's learning rate by the documented ratios", async () => {
  const blueprint = await planned();
  const following = allStages(blueprint).flatMap(({ path, bindings, params }) => {
    const [source] = bindings.lr_of ? referencesOf(bindings.lr_of) : [];
    if (source === undefined) return [];
    assertEquals(source.from === "stage" && [source.stage.path, source.port], ["sft", "metrics"]);
    return [[path, params.lr, params.lr_ratio, params.critic_lr, params.critic_lr_ratio]];
  });
  assertEquals(following, [
    ["members.sft", "auto", 0.5, undefined, undefined],
    ["audit", "auto", 0.5, undefined, undefined],
    ["ppo.update", "auto", 0.15, "auto", 1],
    ["continued", "auto", 1, undefined, undefined],
  ]);
});

Deno.test("without held-out demonstrations align.yaml says which parameter requires them", async () => {
  const required = (setting: string) =>
    `input "validation" is required, for ${setting}, but its source is not written: ` +
    "tokenize.validation (validation_fraction=0)";
  const none = "tokenize.validation_fraction=0",
    unwatched = [
      "sft.eval_every=0",
      "sft.early_stopping_patience=0",
    ];
  const eager = await assertRejects(() => planned(none), ManifestError);
  assertEquals(eager.message.includes(required("eval_every=0.1")), true, eager.message);
  const auto = await assertRejects(() => planned(none, ...unwatched), ManifestError);
  assertEquals(auto.message.includes(required("lr=auto")), true, auto.message);
  await planned(none, ...unwatched, "sft.lr=1e-4");
});

/** Which stages a model comes from, in the manifests that ship. @module */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { projectRoot, stages } from "@/lib/app/registry.ts";
import { parseManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { makeBlueprint } from "@/lib/pipeline/engine/plan.ts";
import { evaluatedModels, stagesBehind } from "./lineage.ts";

async function plan(text: string) {
  const source = parseManifest(text, "x.yaml");
  return await makeBlueprint(source, stages, { inputs: source.manifest.inputs });
}

const quickstart = await plan(Deno.readTextFileSync(join(projectRoot, "pipelines/quickstart.yaml")));
const behind = (model: string) => [...stagesBehind(quickstart, model)];

Deno.test("the base costs nothing, SFT its own training, SRPPO all members and the whole loop", () => {
  assertEquals([...evaluatedModels(quickstart).keys()], ["base", "sft", "continued_sft", "srppo"]);
  assertEquals(behind("base"), []);
  assertEquals(behind("sft"), ["tokenize", "sft"]);
  assertEquals(behind("srppo"), [
    "tokenize",
    "sft",
    "members.sft",
    "reward",
    "ppo.rollout",
    "ppo.score",
    "ppo.update",
  ]);
});

Deno.test("continued SFT does not cost the PPO that it counts the updates of", () => {
  assertEquals(behind("continued_sft"), ["tokenize", "sft", "continued"]);
});

Deno.test("a model that nothing evaluates has no stages", () => {
  assertEquals(behind("srpo"), []);
});

Deno.test("the best round of a loop costs the evaluations that chose it", async () => {
  const text = Deno.readTextFileSync(join(projectRoot, "pipelines/quickstart.yaml"))
    .replace(
      "      until: {",
      "      best: { metric: check.evals.score, model: policy, mode: greedy }\n      until: {",
    )
    .replace(
      "    next: {",
      `      check:
        uses: eval
        in: { prompts: tokenize.eval_prompts, models: { policy: update.policy } }
        with: { checker: words, checker_optional: true }
        every: 5
    next: {`,
    )
    .replace(
      "in: { prompts: tokenize.eval_prompts, models",
      "in: { prompts: tokenize.selection_prompts, models",
    )
    .replace(
      "with: { validation_fraction: null }",
      "with: { validation_fraction: null, selection_fraction: 0.5 }",
    )
    .replace("srppo: ppo.policy", "srppo: ppo.policy, best: ppo.best");
  const found = stagesBehind(await plan(text), "best");
  assertEquals(found.has("ppo.check"), true);
  assertEquals(stagesBehind(await plan(text), "srppo").has("ppo.check"), false);
});

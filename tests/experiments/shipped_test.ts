/** Plans and data of the shipped experiments: every plan fits the stages; nothing runs. @module */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { projectRoot, stages } from "@/lib/app/registry.ts";
import { experimentJsonSchema } from "@/lib/pipeline/experiments/experiment.ts";
import { type ExperimentSource, readExperiment } from "@/lib/pipeline/experiments/experiment_reader.ts";
import { checkRuns, type PlanContext } from "@/lib/pipeline/experiments/plan_runs.ts";
import { type ExperimentRuns, resolveRuns } from "@/lib/pipeline/experiments/resolve_runs.ts";
import { openCodeDigests } from "@/lib/pipeline/engine/code_digest.ts";
import { readManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { readJsonl } from "@/lib/data/files/jsonl.ts";

const NAMES = [...Deno.readDirSync(join(projectRoot, "pipelines/experiments"))].map(({ name }) => name)
  .filter((name) => name.endsWith(".yaml")).map((name) => name.slice(0, -5)).sort();

const read = (path: string) => readManifest(join(projectRoot, path), path);

const context: PlanContext = {
  root: projectRoot,
  outDir: join(projectRoot, "runs/none"),
  storeDir: join(projectRoot, "runs/none/store"),
  stages,
  code: openCodeDigests(projectRoot),
  read,
  hub: {},
};

async function shipped(
  name: string,
): Promise<{ readonly source: ExperimentSource; readonly runs: ExperimentRuns }> {
  const source = await readExperiment(
    join(projectRoot, `pipelines/experiments/${name}.yaml`),
    `${name}.yaml`,
  );
  const root = projectRoot;
  const runs = await resolveRuns(source, { set: [] }, {
    root,
    read: async (path) => (await read(path)).manifest,
  });
  return { source, runs };
}

for (const name of NAMES) {
  Deno.test(`pipelines/experiments/${name}.yaml fits the stages, and its models and inputs exist`, async () => {
    const { runs } = await shipped(name);
    const first = runs.runs[0]!.seed;
    const once = runs.runs.filter(({ seed }) => seed === first);
    await checkRuns(
      { ...runs, runs: once, cells: runs.cells.filter(({ run }) => once.includes(run)) },
      context,
    );
  });
}

Deno.test("the experiments have as many runs as their pages state", async () => {
  const counts = Object.fromEntries(
    await Promise.all(NAMES.map(async (name) => [name, (await shipped(name)).runs.runs.length])),
  );
  assertEquals(counts.quickstart, 8 * 7, "three rewards and four controls, eight seeds");
  assertEquals(
    counts.data_efficiency,
    6 * (5 + 3),
    "six sizes; five seeds of the bagged reward, three of the paper's",
  );
  assertEquals(counts.prompt_overlap, 3 * 3, "three kinds of prompts, three seeds");
});

Deno.test("every ablation changes something, and no two change the same", async () => {
  const { runs, source } = await shipped("ablations");
  const changed = runs.runs.filter(({ seed }) => seed === 0).map(({ manifest, settings, inputs }) =>
    JSON.stringify([manifest, settings, inputs])
  );
  // SFT, continued SFT and the recipe itself share a run.
  assertEquals(new Set(changed).size, Object.keys(source.experiment.arms).length - 2);
});

Deno.test("pipelines/experiments/experiment.schema.json is what deno task schema writes", () => {
  const file = join(projectRoot, "pipelines/experiments/experiment.schema.json");
  assertEquals(
    JSON.parse(Deno.readTextFileSync(file)),
    JSON.parse(JSON.stringify(experimentJsonSchema())),
  );
});

interface Row {
  readonly prompt: string;
  readonly response?: string;
  readonly words?: readonly string[];
}

function rowsOf(name: string): Row[] {
  return readJsonl(join(projectRoot, "fixtures/quickstart", name)).map(({ value }) =>
    value as unknown as Row
  );
}

Deno.test("openings.jsonl has the demonstrations' own prompts with the words that their responses mention", () => {
  const demonstrations = rowsOf("demos.jsonl");
  const openings = rowsOf("openings.jsonl");
  assertEquals(openings.map(({ prompt }) => prompt), [
    ...new Set(demonstrations.map(({ prompt }) => prompt)),
  ]);
  const words = new Map(openings.map(({ prompt, words }) => [prompt, words!]));
  const odd = demonstrations.filter(({ prompt, response }) =>
    words.get(prompt)!.some((word) => !prompt.includes(word) || !new RegExp(`\\b${word}\\b`).test(response!))
  );
  assertEquals(odd, []);
});

Deno.test("the pattern by which more demonstrations are made matches every shipped one, and nothing less of it", async () => {
  const { manifest } = await read("pipelines/more_demonstrations.yaml");
  const chosen = manifest.stages.chosen as { readonly with: Readonly<Record<string, unknown>> };
  const pattern = new RegExp(String(chosen.with.response_pattern), "uy");
  const odd = rowsOf("demos.jsonl").filter(({ response }) => {
    pattern.lastIndex = 0;
    return pattern.exec(response!)?.[0] !== response;
  });
  assertEquals(odd, []);
  const { source } = await shipped("data_efficiency");
  assertEquals(
    source.experiment.set.filter((text) => text.includes("response_pattern")),
    [`tokenize.response_pattern=${chosen.with.response_pattern}`],
  );
});

Deno.test("foreign prompts are as many as the others, all different, and share no opening with them", () => {
  const foreign = rowsOf("foreign_prompts.jsonl").map(({ prompt }) => prompt);
  const others = [...rowsOf("prompts.jsonl"), ...rowsOf("openings.jsonl"), ...rowsOf("eval.jsonl")];
  assertEquals([foreign.length, new Set(foreign).size], [rowsOf("prompts.jsonl").length, foreign.length]);
  const opening = (prompt: string) => prompt.split(" ").slice(0, 4).join(" ");
  const known = new Set(others.map(({ prompt }) => opening(prompt)));
  assertEquals(foreign.filter((prompt) => known.has(opening(prompt))), []);
});

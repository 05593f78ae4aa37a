/**
 * The second task: its data, that its recipe is the quickstart's, and the whole of it from an untrained model on, made
 * small.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { regexChecker } from "@/lib/model/evals/text_checkers.ts";
import { readJsonl } from "@/lib/data/files/jsonl.ts";
import { readManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import type { Report } from "@/lib/report/report_schema.ts";
import { finish, launch } from "@/tests/support/launch.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { firstRows } from "./small_quickstart.ts";

const MANIFEST = "pipelines/lipogram.yaml";

/** `with` of every stage by its path. */
async function settingsOf(manifest: string): Promise<Record<string, Readonly<Record<string, unknown>>>> {
  const settings: Record<string, Readonly<Record<string, unknown>>> = {};
  const collect = (entries: Readonly<Record<string, unknown>>, path: string) => {
    for (const [name, entry] of Object.entries(entries)) {
      const { stages, uses, with: values, iterate, foreach } = entry as Readonly<Record<string, unknown>>;
      const own = { ...(values ?? {}) as object, ...(iterate as object), ...(foreach as object) };
      settings[path + name] = { ...own, ...(uses === undefined ? {} : { uses }) };
      if (stages) collect(stages as Readonly<Record<string, unknown>>, `${path}${name}.`);
    }
  };
  collect((await readManifest(join(projectRoot, manifest), manifest)).manifest.stages, "");
  return settings;
}

function promptsOf(name: string): string[] {
  return readJsonl(join(projectRoot, "fixtures/lipogram", name)).map(({ value }) =>
    (value as unknown as { readonly prompt: string }).prompt
  );
}

Deno.test("pipelines/lipogram.yaml has the quickstart's recipe, except for the task", async () => {
  const ours = await settingsOf(MANIFEST), theirs = await settingsOf("pipelines/quickstart.yaml");
  const carried = (settings: Readonly<Record<string, unknown>>) => {
    // The same models have other names.
    const { carry: _, checker: _1, checker_pattern: _2, checker_optional: _3, ...rest } = settings;
    return rest;
  };
  const of = (all: typeof ours) =>
    Object.fromEntries(
      Object.entries(all).filter(([name]) => name in theirs && name !== "tokenize")
        .map(([name, settings]) => [name, carried(settings)]),
    );
  assertEquals(of(ours), of(theirs));
  assertEquals(Object.keys(ours).filter((name) => !(name in theirs)), [
    "corpus",
    "pretrain",
    "openings",
    "responses",
  ]);
});

Deno.test("one pattern selects the lipogram's demonstrations and scores its responses: eight words without d, then an end", async () => {
  const settings = await settingsOf(MANIFEST);
  const pattern = String(settings["tokenize"]!["checker_pattern"]);
  assertEquals(settings["eval"]!["checker_pattern"], pattern);
  const check = regexChecker({ pattern });
  const score = (response: string) => check({ meta: {}, response, ended: true })["score"];
  assertEquals(
    [
      " was the first of the films in 1999.",
      " of the, of; the (film) it is 1,000 here?",
      " was the first of the films 1999.", // seven words
      " was the first of the films and 1999.", // a d
      " was the first of the films in Denmark.",
      " was the first of the films in 1999, the", // no end
      " was the first\nof the films in 1999.", // a line break
    ].map(score),
    [1, 1, 0, 0, 0, 0, 0],
  );
});

Deno.test("the lipogram's openings are all different, with four words each, and evaluation prompts are in no other file", () => {
  const files = ["openings.jsonl", "prompts.jsonl", "eval.jsonl"].map(promptsOf);
  assertEquals(files.map((prompts) => prompts.length), [522, 512, 256]);
  const all = files.flat();
  assertEquals(new Set(all).size, all.length);
  assertEquals(all.filter((prompt) => prompt.split(" ").length !== 4), []);
});

Deno.test("pipelines/lipogram.yaml pretrains a base, makes demonstrations from its responses, and compares four models", async () => {
  using dir = new TemporaryDirectory();
  const first = (name: string, rows: number) =>
    `--input=${name === "eval" ? "eval_prompts" : name}=${
      dir.write(`${name}.jsonl`, firstRows(`fixtures/lipogram/${name}.jsonl`, rows))
    }`;
  const text = Deno.readTextFileSync(join(projectRoot, "fixtures/lipogram/text.txt"));
  const settings = [
    "pretrain.max_updates=12",
    "responses.samples_per_prompt=4",
    // A model with twelve updates writes no sentences: every response that ends is a demonstration.
    "tokenize.checker_pattern=.",
    "tokenize.draw=16",
    // Fast enough for the reward to separate SFT's responses from the base's.
    ...["sft", "members.sft"].flatMap((name) => [`${name}.max_updates=16`, `${name}.lr=1e-2`]),
    "members.count=2",
    "reward.max_new_tokens=12",
    "reward.calibration_prompts=8",
    "ppo.count=2",
    "ppo.rollout.prompts_per_iteration=8",
    "ppo.rollout.max_new_tokens=12",
    "ppo.update.minibatch_size=4",
    "ppo.update.epochs=1",
    "ppo.update.critic_warmup_iterations=1",
    "eval.max_new_tokens=12",
  ];
  const { code, err } = await finish(launch([
    "pipeline",
    MANIFEST,
    "--run-dir",
    dir.file("run"),
    `--input=text=${dir.write("text.txt", text.slice(0, 60_000))}`,
    first("openings", 64),
    first("prompts", 24),
    first("eval", 12),
    ...settings.map((setting) => `--set=${setting}`),
  ]));
  assertEquals([code, err], [0, ""]);
  const report = JSON.parse(Deno.readTextFileSync(dir.file("run/report.json"))) as Report;
  const scores = report.comparison.filter(({ metric }) => metric === "score");
  assertEquals(
    scores.map(({ model, mode, n }) => `${model} ${mode} ${n}`).sort(),
    ["base", "continued_sft", "sft", "srppo"].flatMap((m) => [`${m} greedy 12`, `${m} sampled 12`]),
  );
  const updates = report.updates.map(({ stage, updates }) => [stage, updates]);
  for (const [stage, made] of [["sft", 16], ["ppo.update", 2], ["continued", 2]] as const) {
    assertEquals(updates.filter(([path]) => path === stage), [[stage, made]]);
  }
  assertEquals(updates.filter(([path]) => path === "members.sft").map(([, made]) => made), [16, 16]);
  const losses = report.training.filter(({ stage }) => stage === "pretrain").map(({ loss }) => loss);
  assertEquals(losses.length, 12);
  assert(losses.at(-1)! < losses[0]!, `pretraining's loss went from ${losses[0]} to ${losses.at(-1)}`);
});

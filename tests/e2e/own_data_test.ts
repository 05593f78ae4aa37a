/** A user's own model and demonstrations, by two flags: no YAML, no prompts, no words to check. @module */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { readPrompts } from "@/lib/data/contracts/prompts.ts";
import { readTokens } from "@/lib/data/contracts/tokens.ts";
import type { Report } from "@/lib/report/report_schema.ts";
import { finish, launch } from "@/tests/support/launch.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { firstRows } from "./small_quickstart.ts";

const SMALL = [
  "sft.max_updates=4",
  "sft.batch_size=8",
  "members.count=2",
  "members.sft.max_updates=4",
  "members.sft.batch_size=8",
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

/** Metrics that need no checker. */
const UNCHECKED = [
  "base_nll",
  "distinct_2",
  "eos_rate",
  "kl_to_sft",
  "response_length",
  "reward",
  "validation_nll",
];

for (
  const [name, settings] of [["quickstart", []], ["align", ["sft.lr=1e-3", "members.sft.lr=1e-3"]]] as const
) {
  Deno.test(`pipelines/${name}.yaml needs only --input base and --input demonstrations`, async () => {
    using dir = new TemporaryDirectory();
    const demonstrations = dir.write("own.jsonl", firstRows("fixtures/quickstart/demos.jsonl", 60));
    const { code, out, err } = await finish(launch([
      "pipeline",
      `pipelines/${name}.yaml`,
      "--run-dir",
      dir.file("run"),
      "--input=base=fixtures/stories260k",
      `--input=demonstrations=${demonstrations}`,
      ...[...SMALL, ...settings].map((setting) => `--set=${setting}`),
    ]));
    assertEquals([code, err], [0, ""]);
    const report = JSON.parse(Deno.readTextFileSync(dir.file("run/report.json"))) as Report;

    const metrics = [...new Set(report.comparison.map((row) => row.metric))].sort();
    assertEquals(metrics, UNCHECKED);
    const models = [...new Set(report.comparison.map((row) => row.model))];
    assertEquals(models, ["base", "sft", "continued_sft", "srppo"]);
    const unscored = "No score: no evaluation prompt has the field that checker words reads";
    assertEquals(report.findings.filter((f) => f.startsWith("No score")), name === "align" ? [] : [unscored]);
    assertEquals(out.includes(unscored), name === "quickstart");
    const tooFew = report.warnings.filter(({ message }) => message.startsWith("too few for an audit"));
    assertEquals(tooFew.map(({ stage }) => stage), name === "align" ? ["tokenize"] : []);
    assertEquals(out.includes("audit skipped: tokenize did not write audit"), name === "align");

    const rows = (port: string) => readPrompts(view(dir.file("run"), port)).rows;
    const heldOut = new Set(rows("eval_prompts").map(({ id }) => id));
    assertEquals(heldOut.size > 0 && heldOut.size < 12, true, `${heldOut.size} of 60 are held out`);
    assertEquals(rows("prompts").filter(({ id }) => heldOut.has(id)), []);
    assertEquals(
      report.samples.every((sample) => heldOut.has(sample.prompt_id)) && report.samples.length > 0,
      true,
    );
  });
}

Deno.test("align.yaml without a checker audits the result with demonstrations that no other stage reads", async () => {
  using dir = new TemporaryDirectory();
  const demonstrations = dir.write("own.jsonl", firstRows("fixtures/quickstart/demos.jsonl", 200));
  const settings = [...SMALL, "sft.lr=1e-3", "audit.max_updates=4", "audit.batch_size=8", "audit.lr=1e-3"];
  const { code, out } = await finish(launch([
    "pipeline",
    "pipelines/align.yaml",
    "--run-dir",
    dir.file("run"),
    "--input=base=fixtures/stories260k",
    "--input=judge=fixtures/stories260k",
    `--input=demonstrations=${demonstrations}`,
    ...settings.map((setting) => `--set=${setting}`),
  ]));
  assertEquals(code, 0);
  const report = JSON.parse(Deno.readTextFileSync(dir.file("run/report.json"))) as Report;
  for (const metric of ["audit_reward", "audit_reward_without_eos", "judge_nll"]) {
    const rows = report.comparison.filter((row) => row.metric === metric);
    assertEquals([metric, rows.length], [metric, 8], "four models in two modes");
  }
  const paired = report.differences.filter(({ method }) => method !== "unpaired");
  assertEquals(paired.length, report.differences.length);
  assertEquals(report.findings.filter((f) => f.includes("over-optimization")).length, 2);
  assertEquals(report.warnings.filter(({ message }) => message.startsWith("too few")), []);
  assertEquals(out.includes("skipped"), false);

  const idsOf = (port: string) => new Set(readTokens(view(dir.file("run"), port)).rows.map(({ id }) => id));
  const [train, validation, audit] = ["train", "validation", "audit"].map(idsOf) as [
    Set<string>,
    Set<string>,
    Set<string>,
  ];
  assertEquals([train, validation].map((other) => audit.isDisjointFrom(other)), [true, true]);
  assertEquals(audit.size >= 32 && train.size + validation.size + audit.size, 200);
});

/** Returns the path of an output of tokenize, the only stage here that writes prompts. */
function view(runDir: string, port: string): string {
  const views = join(runDir, "store", "views");
  for (const { name } of Deno.readDirSync(views)) {
    const path = join(views, name, `${port}.arrow`);
    try {
      Deno.statSync(path);
      return path;
    } catch {
      // Another stage's outputs.
    }
  }
  throw new Error(`tokenize has not written ${port} to ${views}`);
}

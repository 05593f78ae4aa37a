/**
 * `align.yaml` with a reward that cannot help: PPO does not run, the policy is the SFT model, the report says why, and the exit
 * code is 0.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { readEvals } from "@/lib/data/contracts/evals.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { finish, launch } from "@/tests/support/launch.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

Deno.test("align.yaml: without the verdict helps, outputs/policy is the SFT model", async () => {
  using dir = new TemporaryDirectory();
  const rows = Deno.readTextFileSync(join(projectRoot, "fixtures/quickstart/demos.jsonl")).split("\n");
  const demonstrations = dir.write("demos.jsonl", `${rows.slice(0, 40).join("\n")}\n`), run = dir.file("run");
  const command = (...more: readonly string[]) =>
    finish(launch([
      "pipeline",
      "pipelines/align.yaml",
      `--input=base=${join(projectRoot, "fixtures/stories260k")}`,
      `--input=demonstrations=${demonstrations}`,
      `--run-dir=${run}`,
      // With responses of one token, no reward helps.
      ...["max_new_tokens=1", "base_weight=1", "samples_per_prompt=8"].map((set) => `--set=reward.${set}`),
      ...["sft", "members.sft", "continued"].map((stage) => `--set=${stage}.max_updates=2`),
      "--set=sft.lr=1e-3",
      "--set=members.sft.lr=1e-3",
      "--set=eval.max_new_tokens=4",
      "--set=eval.kept_samples=1",
      ...more,
    ]));
  const { code, out, err } = await command();
  assertEquals(code, 0, err);
  assert(/PPO did not run: it requires reward.verdict above 0, got (0|-1)\n/.test(out), out);
  const [reason] = /Verdict: (no signal|harms)\. /.exec(out) ?? [];
  assert(reason !== undefined, out);
  const models = readEvals(join(run, "outputs/evals.arrow")).map(({ model }) => model);
  assertEquals(
    [...new Set(models)].sort(),
    ["base", "sft", "srppo"],
    "continued SFT has no updates to match",
  );
  const report = Deno.readTextFileSync(join(run, "report.html"));
  assert(report.includes(reason), "the report says why");
  const policy = digestDirectory(join(run, "outputs/policy")).digest;
  const views = [...Deno.readDirSync(join(run, "store/views"))].map(({ name }) =>
    join(run, "store/views", name, "policy")
  );
  const known = views.filter((path) => exists(path)).map((path) => digestDirectory(path).digest);
  assert(known.includes(policy), "the policy is that of a training stage");
  const dry = await command("--set=ppo.when=null", "--set=ppo.count=1", "--dry-run");
  assert(dry.out.includes("ppo.update[0]"), dry.out);
});

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

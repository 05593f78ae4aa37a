/**
 * SFT's checkpoints as candidates for the reward: one reference in the manifest, read by stages in the driver's process, in
 * separate processes, and from the command line.
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { readReward } from "@/lib/data/contracts/reward_directory.ts";
import { type ActionRecord, parseRecord } from "@/lib/pipeline/engine/action_record.ts";
import { readManifest } from "@/lib/pipeline/engine/manifest_reader.ts";
import { finish } from "@/tests/support/launch.ts";
import { counts, ran, SmallQuickstart } from "./small_quickstart.ts";
import { runAlone } from "./stage_alone.ts";

const MANIFEST = "pipelines/variants/auto_checkpoint.yaml";
const SMALL = [
  "sft.checkpoint_every=2",
  "reward.preflight_prompts=8",
  "reward.preflight_samples=4",
  "ppo.count=1",
].flatMap((setting) => ["--set", setting]);

/** Returns the record of the only action in a store that wrote `port`, and the paths of its outputs. */
function writerOf(store: string, port: string): ActionRecord & { readonly view: (port: string) => string } {
  const folder = join(store, "actions");
  const records = [...Deno.readDirSync(folder)].map(({ name }) =>
    parseRecord(Deno.readTextFileSync(join(folder, name)))!
  );
  const [record, ...others] = records.filter(({ outputs }) => outputs[port] !== undefined);
  assertEquals(others, [], port);
  return { ...record!, view: (name) => join(store, "views", record!.key, record!.names[name]!) };
}

async function stagesOf(path: string): Promise<Readonly<Record<string, object>>> {
  return (await readManifest(join(projectRoot, path), path)).manifest.stages;
}

Deno.test("auto_checkpoint.yaml differs from the quickstart only in SFT's checkpoints, the reward and the prompts of the choice", async () => {
  const { openings, sft, reward, ...same } = await stagesOf(MANIFEST);
  const { sft: plainSft, reward: plainReward, ...quickstart } = await stagesOf("pipelines/quickstart.yaml");
  assertEquals(same, quickstart);
  const more = (a: object, b: object, key: "in" | "with") => {
    const [mine, theirs] = [a, b].map((stage) => (stage as Record<string, object>)[key]!) as [object, object];
    assertEquals({ ...mine, ...theirs }, mine, key);
    return Object.keys(mine).filter((name) => !Object.hasOwn(theirs, name));
  };
  assertEquals(more(sft!, plainSft!, "with"), ["checkpoint_every"]);
  assertEquals(more(reward!, plainReward!, "in"), ["checkpoints", "eval_prompts", "checker"]);
  assertEquals(more(reward!, plainReward!, "with"), ["reward_checkpoint", "checker"]);
  assertEquals(openings !== undefined, true);
});

Deno.test("checkpoints: sft.checkpoints lets the reward choose one of them, with equal bytes wherever stages run", async () => {
  using quickstart = new SmallQuickstart();
  await quickstart.run("run", MANIFEST, ...SMALL);
  const store = quickstart.file("run/store");
  const sft = writerOf(store, "checkpoints"), reward = writerOf(store, "reward");
  assertEquals(reward.parts.inputs.checkpoints, [sft.outputs.checkpoints!.digest]);
  const { choice } = JSON.parse(Deno.readTextFileSync(join(reward.view("report"), "report.json")));
  assertEquals(
    choice.candidates.map(({ name }: { name: string }) => name),
    ["members", "checkpoints[0]/000002", "checkpoints[0]/000004"],
  );
  const { members } = readReward(reward.view("reward"));
  assertEquals(members.length, choice.chosen === "members" ? 2 : 1);

  await runAlone(quickstart, "run", "reward");
  await quickstart.run("processes", MANIFEST, ...SMALL, "--executor", "process");
  assertEquals(quickstart.bytes("processes"), quickstart.bytes("run"));
  assertEquals(counts(await quickstart.run("run", MANIFEST, ...SMALL)).ran, 0);

  // With other checkpoints the choice runs again; SFT's model and everything that does not read the reward is cached.
  const again = ran(await quickstart.run("run", MANIFEST, ...SMALL, "--set", "sft.checkpoint_every=4"));
  assertEquals(again.slice(-2), ["reward", "sft"]);
  assertEquals(again.filter((id) => /^(tokenize|openings|members|ppo\.rollout)/.test(id)), []);
});

Deno.test("reward_checkpoint=auto without checkpoints is refused before anything runs", async () => {
  using quickstart = new SmallQuickstart();
  const run = quickstart.start("refused", MANIFEST, ...SMALL, "--set", "sft.checkpoint_every=0");
  const { code, err } = await finish(run);
  assertEquals(
    [code, err.replace(/:\d+:\d+/, ":LINE:COLUMN")],
    [
      64,
      `Invalid manifest ${MANIFEST}: 1 problem\n  ${MANIFEST}:LINE:COLUMN: input ` +
      '"checkpoints" is required, for reward_checkpoint=auto, but its source is not written: sft.checkpoints ' +
      "(checkpoint_every=0)\n",
    ],
  );
});

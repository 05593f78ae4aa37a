/** Tests the stage on files: the reward, its statistics, and errors. @module */
import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { copyTokenizerFiles, tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { readReward } from "@/lib/data/contracts/reward_directory.ts";
import type { RolloutRow } from "@/lib/data/contracts/rollouts.ts";
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import type { InputPaths } from "@/lib/data/contracts/stage.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { linkTree } from "@/lib/data/files/publish.ts";
import { loadModel, writeModel } from "@/lib/model/models/checkpoint.ts";
import { RewardModel } from "@/lib/model/reward/reward_model.ts";
import { DataError, TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { runSync } from "@/lib/model/train/event_loop.ts";
import { metricsOf, PROMPTS, promptsIn, reportOf, runStage } from "@/tests/support/build_reward_runs.ts";
import { BASE, writeRelative } from "@/tests/support/relatives.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { params } from "./params.ts";

const LLAMA = "fixtures/goldens/families/llama";
async function rollout(response: readonly number[]): Promise<RolloutRow> {
  const promptIds = await loadTokenizer(BASE).encode(PROMPTS[0]!), responseIds = Int32Array.from(response);
  const logprobs = new Float32Array(response.length);
  const names = { id: "r", promptId: "p", sample: 0, meta: "{}", finishReason: "eos" } as const;
  return { ...names, promptIds, responseIds, logprobs, logprobsT1: null };
}

function scoredBy(reward: RewardModel, sft: string, rows: readonly RolloutRow[]): ScoredRow[] {
  return runSync(reward.score(rows, { sft: { path: sft }, bosId: 1 }));
}

Deno.test("the paper's reward: one member, calibrated; KL is above 0 on SFT responses and below on base responses", async () => {
  using directory = new TemporaryDirectory();
  const dir = directory.path, sft = writeRelative(dir, "sft", 0.02), prompts = await promptsIn(dir);
  await runStage(dir, { members: [sft], sft, prompts });
  const reward = readReward(join(dir, "reward"));
  assertEquals(reward.members, [{ path: "members/0", digest: digestDirectory(sft).digest }]);
  assertEquals(reward.base, { path: "base", digest: digestDirectory(BASE).digest });
  assertEquals(digestDirectory(join(dir, "reward/members/0")).digest, reward.members[0]!.digest);
  assertEquals([reward.combine, reward.floor, reward.eosBound, reward.lengthNorm, reward.eosIds], [
    "mean",
    null,
    null,
    "none",
    [2],
  ]);
  const { sft_reward_mean: onSft, base_reward_mean: onBase, sft_responses: responses } = reward.calibration;
  assertEquals(responses, 24);
  assert(onSft! > 0 && onBase! < 0, `${onSft} and ${onBase}`);
  const { calibration, preflight, sentences } = reportOf(dir);
  assertEquals(calibration!.sft.reward_mean, onSft);
  assert(calibration!.sft.eos_rate! > 0, "a response must end, or ends are not tested");
  assertEquals(calibration!.base.floor_share, 0);
  assertEquals(preflight, null);
  assertEquals(sentences.length, 6);
  assert(sentences[0]!.startsWith("Verdict: "), sentences[0]);
  assertEquals(sentences.slice(3, 5), [
    "No preflight: it requires the input sft, prompts and a checker.",
    "Member agreement is unknown: it requires two members and different responses to one prompt.",
  ]);
});

Deno.test("guards and several members are in reward.json; a model used twice is stored once; bytes repeat", async () => {
  using directory = new TemporaryDirectory();
  const dir = directory.path, a = writeRelative(dir, "a", 0.01), b = writeRelative(dir, "b", 0.01);
  const prompts = await promptsIn(dir), inputs = { members: [a, b, a], sft: b, prompts };
  const given = { combine: "min", floor: -4, eos_bound: 2, length_norm: "sqrt" } as const;
  await runStage(dir, inputs, given);
  const reward = readReward(join(dir, "reward"));
  assertEquals(reward.members.map(({ path }) => path), ["members/0", "members/1", "members/0"]);
  assertEquals([reward.combine, reward.floor, reward.eosBound, reward.lengthNorm], ["min", -4, 2, "sqrt"]);
  assertEquals([...Deno.readDirSync(join(dir, "reward/members"))].map(({ name }) => name).sort(), ["0", "1"]);
  const { calibration } = reportOf(dir);
  assert(calibration!.base.floor_share! > 0 && calibration!.base.floor_share! < 1);
  assert(Math.abs(calibration!.sft.eos_mean!) <= 2);
  const before = ["reward", "report"].map((name) => digestDirectory(join(dir, name)).digest);
  await runStage(dir, inputs, given);
  assertEquals(["reward", "report"].map((name) => digestDirectory(join(dir, name)).digest), before);
  await runStage(dir, inputs, given, { seed: 4 });
  assertNotEquals(digestDirectory(join(dir, "report")).digest, before[1]);
});

Deno.test("a soup is one member, the mean of the members' weights; agreement is that of its parts", async () => {
  using directory = new TemporaryDirectory();
  const dir = directory.path, a = writeRelative(dir, "a", 0.01), b = writeRelative(dir, "b", 0.01);
  await runStage(dir, { members: [a, b], sft: a, prompts: await promptsIn(dir) }, { combine: "soup" });
  const reward = readReward(join(dir, "reward"));
  assertEquals(reward.members.map(({ path }) => path), ["members/0"]);
  assertEquals(reward.soupOf, [a, b].map((path) => digestDirectory(path).digest));
  const [mean, x, y] = [join(dir, "reward/members/0"), a, b].map((path) => loadModel(path).parameters.data);
  mean!.forEach((w, i) => assertEquals(w, Math.fround((x![i]! + y![i]!) / 2)));
  assertEquals(tokenizerDigest(join(dir, "reward/members/0")), tokenizerDigest(BASE));
  const { diagnosis } = reportOf(dir);
  assert(Math.abs(diagnosis!.member_agreement!) <= 1 && diagnosis!.member_agreement !== 0);
  const [scored] = scoredBy(new RewardModel(join(dir, "reward")), a, [await rollout([400, 410, 2])]);
  assert(scored!.rawReward !== 0);
});

Deno.test("floor_penalties=keep is in reward.json, the default is not", async () => {
  using directory = new TemporaryDirectory();
  const dir = directory.path, sft = writeRelative(dir, "sft", 0.02);
  const keys = async (params: Record<string, unknown>) => {
    const place = join(dir, crypto.randomUUID());
    await runStage(place, { members: [sft] }, { floor: -9, ...params });
    return JSON.parse(Deno.readTextFileSync(join(place, "reward", "reward.json")));
  };
  assertEquals((await keys({ floor_penalties: "keep" })).floor_penalties, "keep");
  assertEquals((await keys({ floor_penalties: "drop" })).floor_penalties, undefined);
  assertEquals((await keys({})).version, 1);
});

Deno.test("with a baseline, the calibration samples from it, and it is in the directory", async () => {
  using directory = new TemporaryDirectory();
  const dir = directory.path,
    sft = writeRelative(dir, "sft", 0.02),
    baseline = writeRelative(dir, "half", 0.01);
  const prompts = await promptsIn(dir),
    given = { floor_both: -9, token_cap: 3, length_norm: "target" } as const;
  await runStage(dir, { members: [sft], sft, baseline, prompts }, given);
  const reward = readReward(join(dir, "reward"));
  assertEquals(reward.baseline, { path: "baseline", digest: digestDirectory(baseline).digest });
  assertEquals([reward.floorBoth, reward.tokenCap, reward.lengthNorm], [-9, 3, "target"]);
  assertEquals(reward.lengthTarget, reward.calibration.sft_response_length);
  assert(reward.calibration.baseline_reward_mean! < 0 && reward.calibration.base_reward_mean === undefined);
  const same = await assertRejects(
    () => runStage(dir, { members: [sft], baseline: sft, prompts }),
    DataError,
  );
  assertEquals(
    same.message,
    "Incompatible models: members[0] equals the baseline: every reward would be 0",
  );
});

Deno.test("reward_checkpoint=auto takes the checkpoint with the largest gain, and reports why", async () => {
  using directory = new TemporaryDirectory();
  const dir = directory.path,
    sft = writeRelative(dir, "sft", 0.02),
    early = writeRelative(dir, "early", 0.015);
  const late = writeRelative(dir, "late", 0.018), prompts = await promptsIn(dir);
  const checker = directory.write(
    "check.ts",
    "export const check = ({ response }) => ({ score: response.length % 7 / 7 });",
  );
  const inputs = { members: [sft], sft, prompts, checker, checkpoints: [early, late] };
  const given = { reward_checkpoint: "auto", preflight_samples: 8 } as const;
  await runStage(dir, inputs, given);
  const { choice, preflight, sentences } = reportOf(dir);
  assertEquals(choice!.candidates.map(({ name }) => name), ["members", "checkpoints[0]", "checkpoints[1]"]);
  const best = choice!.candidates.reduce((a, b) => b.gain > a.gain ? b : a);
  assertEquals([choice!.chosen, preflight!.gain], [best.name, best.gain]);
  assertEquals(sentences[1], choice!.reason);
  const path = { members: sft, "checkpoints[0]": early, "checkpoints[1]": late }[best.name]!;
  assertEquals(readReward(join(dir, "reward")).members.map(({ digest }) => digest), [
    digestDirectory(path).digest,
  ]);
  // The same models in one directory, as sft writes its checkpoints, and one of them as a second path.
  for (const [number, model] of [["000063", early], ["000126", late]] as const) {
    linkTree(model, join(dir, "steps", number));
  }
  const again = directory.file("again");
  Deno.mkdirSync(again);
  await runStage(again, { ...inputs, checkpoints: [join(dir, "steps"), early] }, given);
  const [ofMembers, ofEarly, ofLate] = choice!.candidates.map(({ gain }) => gain);
  assertEquals(reportOf(again).choice!.candidates.map(({ name, gain }) => [name, gain]), [
    ["members", ofMembers],
    ["checkpoints[0]/000063", ofEarly],
    ["checkpoints[0]/000126", ofLate],
    ["checkpoints[1]", ofEarly],
  ]);
});

Deno.test("members may be a directory of models: it makes the same soup as its models given one by one", async () => {
  using directory = new TemporaryDirectory();
  const dir = directory.path, paths = ["a", "b"].map((name) => writeRelative(dir, name, 0.01));
  paths.forEach((path, i) => linkTree(path, join(dir, "steps", `${i}`)));
  const rewardOf = async (members: readonly string[]) => {
    await runStage(dir, { members }, { combine: "soup" });
    return digestDirectory(join(dir, "reward"));
  };
  const one = await rewardOf(paths);
  assertEquals(await rewardOf([join(dir, "steps")]), one);
});

Deno.test("all inconsistent parameters and inputs are listed together", async () => {
  using directory = new TemporaryDirectory();
  const given = { reward_checkpoint: "auto", combine: "soup", length_norm: "target" } as const;
  const refusal = async (inputs: InputPaths) =>
    (await assertRejects(() => runStage(directory.path, inputs, given), UsageError)).message;
  assertEquals(
    await refusal({ members: ["a"] }),
    "Missing inputs of build-reward: reward_checkpoint=auto requires sft; " +
      "length_norm=target requires prompts; reward_checkpoint=auto requires checkpoints",
  );
  assertEquals(
    await refusal({ members: ["a"], sft: "a", prompts: "p", checkpoints: ["b"] }),
    "Invalid parameters and inputs: combine=soup requires at least 2 members, got 1; reward_checkpoint=auto requires a " +
      "checker; reward_checkpoint=auto cannot be combined with combine=soup; reward_checkpoint=auto cannot be combined with " +
      "length_norm=target",
  );
});

Deno.test("without SFT model or prompts there is no calibration, and the report says so", async () => {
  using directory = new TemporaryDirectory();
  const dir = directory.path, a = writeRelative(dir, "a", 0.01);
  await runStage(dir, { members: [a] });
  assertEquals(readReward(join(dir, "reward")).calibration, {});
  assertEquals(reportOf(dir).sentences, [
    "No calibration: it requires the inputs sft and prompts.",
    "No preflight: it requires the input sft, prompts and a checker.",
  ]);
});

Deno.test("a checker compares the best response by reward with the average one, and the result is shown", async () => {
  using directory = new TemporaryDirectory();
  const dir = directory.path, sft = writeRelative(dir, "sft", 0.02), messages: string[] = [];
  const given = { checker: "words", preflight_prompts: 2 };
  await runStage(dir, { members: [sft], sft, eval_prompts: await promptsIn(dir) }, given, { messages });
  const { preflight, warnings } = reportOf(dir);
  assertEquals([preflight!.prompts, preflight!.samples_per_prompt], [2, 4]);
  assertAlmostEquals(
    preflight!.gain as number,
    (preflight!.best_score as number) - (preflight!.average_score as number),
    1e-12,
  );
  assertEquals(messages, [
    "reading models",
    "preflight: sampling 2 × 4 responses from sft",
    warnings[0],
    ...warnings.map((warning) => `warning: ${warning}`),
  ]);
  assert(warnings[0]!.startsWith("Verdict: no signal. By the checker, the reward says nothing"), warnings[0]);
  assertEquals(metricsOf(dir).verdict, 0);
});

Deno.test("the reward of a member that is the base is exactly 0 (and an error of build-reward)", async () => {
  using directory = new TemporaryDirectory();
  const dir = directory.path, a = writeRelative(dir, "a", 0.01);
  await runStage(dir, { members: [a] });
  const manifest = readReward(join(dir, "reward"));
  const same = new RewardModel(join(dir, "reward"), { ...manifest, members: [manifest.base] });
  const [scored] = scoredBy(same, a, [await rollout([400, 410, 420, 2])]);
  assertEquals([...scored!.tokenRewards], [0, 0, 0, 0]);
  assertEquals(scored!.rawReward, 0);

  const copy = join(dir, "copy"); // equal weights with another config
  Deno.mkdirSync(copy);
  writeModel(copy, loadModel(BASE));
  copyTokenizerFiles(BASE, copy);
  const error = await assertRejects(() => runStage(dir, { members: [a, BASE, copy] }), DataError);
  assertEquals(
    error.message,
    "Incompatible models: members[1] equals the base: every reward would be 0 (SFT changed nothing); " +
      "members[2] equals the base: every reward would be 0 (SFT changed nothing)",
  );
});

Deno.test("the rewards of the parts of a response add up to its reward, and EOS counts once", async () => {
  using directory = new TemporaryDirectory();
  const dir = directory.path, a = writeRelative(dir, "a", 0.02);
  await runStage(dir, { members: [a] });
  const reward = new RewardModel(join(dir, "reward"));
  const response = [400, 410, 420, 430, 2], whole = await rollout(response);
  const [first, cut] = [await rollout(response.slice(0, 2)), await rollout(response.slice(0, 4))];
  const rest = {
    ...await rollout(response.slice(2)),
    promptIds: Int32Array.from([...whole.promptIds, 400, 410]),
  };
  const rows = scoredBy(reward, a, [whole, first, rest, cut]);
  const [all, head, tail, body] = rows.map(({ rawReward }) => rawReward);
  assertAlmostEquals(head! + tail!, all!, 1e-4);
  const [scored] = scoredBy(reward, a, [whole]);
  assertAlmostEquals(all! - body!, scored!.tokenRewards[4]!, 1e-4);
  assertEquals(scored!.tokenRewards.length, 5);
});

Deno.test("a base that is the SFT model is an error, also with another config", async () => {
  using directory = new TemporaryDirectory();
  const dir = directory.path, sft = writeRelative(dir, "sft", 0.02), prompts = await promptsIn(dir);
  const error = await assertRejects(
    () => runStage(dir, { base: sft, members: [BASE], sft, prompts }),
    DataError,
  );
  assertEquals(
    error.message,
    "Incompatible models: sft equals the base: base and SFT models may be swapped, or SFT has changed nothing",
  );
  assertEquals([...Deno.readDirSync(dir)].map(({ name }) => name).sort(), ["prompts.arrow", "sft"]);
});

Deno.test("models that do not fit are listed together: tokenizers, vocabularies, NaN, EOS ids", async () => {
  using directory = new TemporaryDirectory();
  const dir = directory.path, nan = "fixtures/goldens/corrupt/weight_nan";
  const broken = writeRelative(dir, "broken", 0.01);
  Deno.writeTextFileSync(join(broken, "generation_config.json"), '{"eos_token_id":[2,0]}');
  const short = (path: string) => tokenizerDigest(path).slice(0, 12);
  const error = await assertRejects(() => runStage(dir, { members: [LLAMA, nan, broken] }), DataError);
  const unread = await loadError(nan);
  assertEquals(
    error.message,
    `Incompatible models: members[1]: ${unread}; members[0] must have the same tokenizer as base, ${
      short(BASE)
    }, got ` +
      `${short(LLAMA)}; members[0] must have the same vocabulary size as base, 512, got 96; ` +
      "members[2] must have the same EOS ids as members[0], 2, got 0, 2",
  );
});

async function loadError(path: string): Promise<string> {
  const { message } = await assertRejects(() => Promise.try(() => loadModel(path)), DataError);
  return message;
}

Deno.test("inconsistent parameters are an error before any model is read; a stop writes nothing", async () => {
  using directory = new TemporaryDirectory();
  const dir = directory.path, a = writeRelative(dir, "a", 0.01);
  const lone = await assertRejects(() => runStage(dir, { members: [a] }, { combine: "lcb" }), UsageError);
  assertEquals(lone.message, "Invalid parameters and inputs: combine=lcb requires at least 2 members, got 1");
  const blind = await assertRejects(
    () => runStage(dir, { members: [a], sft: a }, { checker: "words" }),
    UsageError,
  );
  assertEquals(
    blind.message,
    "Invalid parameters and inputs: a checker requires the input eval_prompts or prompts",
  );
  const prompts = await promptsIn(dir);
  const stopped = await assertRejects(
    () => runStage(dir, { members: [a], sft: a, prompts }, {}, { signal: AbortSignal.abort() }),
    TryAgainError,
  );
  assertEquals(stopped.message, "Interrupted: the reward is discarded. Run the same command to resume");
  assertEquals([...Deno.readDirSync(dir)].map(({ name }) => name).sort(), ["a", "prompts.arrow"]);
});

Deno.test("every parameter has a description and the source of its default", () => {
  for (const [name, schema] of Object.entries(params.shape)) {
    const { description, source } = schema.meta() as { description?: string; source?: string };
    assert(description !== undefined && source !== undefined, name);
  }
  params.parse({});
});

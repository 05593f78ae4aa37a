/** Tests the stage on files: rewards of rollouts from known models, and that nothing else affects them. @module */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { type RewardManifest, writeReward } from "@/lib/data/contracts/reward_directory.ts";
import { type RolloutRow, writeRollouts } from "@/lib/data/contracts/rollouts.ts";
import { readScored, type ScoredRow } from "@/lib/data/contracts/scored.ts";
import { digestDirectory, digestFile } from "@/lib/data/files/digest.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { DataError, TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import { JudgeServer } from "@/tests/support/judge_server.ts";
import { runStage as run } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { stage } from "./main.ts";
import { params as schema } from "./params.ts";

const SRPPO = "fixtures/goldens/srppo";
const BASE = `${SRPPO}/base`, SFT = `${SRPPO}/sft`, OTHER = `${SRPPO}/policy`;
const DIGEST = tokenizerDigest(BASE), EOS = 2;

/** A reward directory over copies of models. */
function reward(
  directory: TemporaryDirectory,
  members: readonly string[],
  options: Partial<RewardManifest> = {},
  baseSource = BASE,
): string {
  const path = directory.file(`reward${crypto.randomUUID()}`);
  const place = (source: string, name: string) => {
    Deno.mkdirSync(join(path, name), { recursive: true });
    for (const { name: file } of Deno.readDirSync(source)) {
      Deno.copyFileSync(join(source, file), join(path, name, file));
    }
    return { path: name, digest: digestDirectory(join(path, name)).digest };
  };
  const base = place(baseSource, "base");
  writeReward(path, {
    members: members.map((source, i) => place(source, `members/${i}`)),
    base,
    combine: "mean",
    floor: null,
    eosBound: null,
    lengthNorm: "none",
    eosIds: [EOS],
    calibration: {},
    ...options,
  });
  return path;
}

function rollout(id: string, promptIds: number[], responseIds: number[]): RolloutRow {
  return {
    id,
    promptId: id,
    sample: 0,
    promptIds: Int32Array.from(promptIds),
    responseIds: Int32Array.from(responseIds),
    logprobs: new Float32Array(responseIds.length).fill(-1),
    logprobsT1: null,
    finishReason: responseIds.at(-1) === EOS ? "eos" : "length",
    meta: "{}",
  };
}

const ROWS: RolloutRow[] = Array.from({ length: 20 }, (_, i) =>
  rollout(
    `r${i}`,
    [1, ...Array.from({ length: i % 7 }, (_, t) => 3 + (i * 13 + t * 29) % 90)],
    [
      ...Array.from({ length: 1 + i * 5 % 23 }, (_, t) => 3 + (i * 37 + t * 11) % 90),
      ...(i % 3 === 0 ? [EOS] : []),
    ],
  ));

async function score(
  directory: TemporaryDirectory,
  rewardPath: string,
  rows: readonly RolloutRow[] = ROWS,
  sft = SFT,
  digest = DIGEST,
): Promise<{ path: string; rows: readonly ScoredRow[] }> {
  const rollouts = directory.file("rollouts.arrow");
  await writeRollouts(rollouts, { rows, tokenizerDigest: digest });
  const { scored } = await run(stage, directory.file(crypto.randomUUID()), {
    inputs: { rollouts, reward: rewardPath, sft },
  });
  return { path: scored!, rows: readScored(scored!).rows };
}

/** log p of the response's tokens under a model, by another path than the stage's: one row at a time. */
function logprobsOf(model: string, { promptIds, responseIds }: RolloutRow): Float32Array {
  const loaded = loadModel(model), ids = [...promptIds, ...responseIds];
  const targets = [...responseIds].map((_, t) => promptIds.length + t);
  return tokenLogprobs(new Network(loaded.model, loaded.parameters), [{ ids, targets }])[0]!;
}

const close = (found: ArrayLike<number>, expected: ArrayLike<number>, what: string) => {
  assertEquals(found.length, expected.length, what);
  for (let t = 0; t < found.length; t++) {
    assertAlmostEquals(found[t]!, expected[t]!, 1e-5, `${what}, token ${t}`);
  }
};

Deno.test("the paper's reward is log π_sft − log π_base, token by token, and their sum", async () => {
  using directory = new TemporaryDirectory();
  const { rows } = await score(directory, reward(directory, [SFT]));
  assertEquals(rows.map(({ id }) => id), ROWS.map(({ id }) => id));
  for (const row of rows) {
    const sft = logprobsOf(SFT, row), base = logprobsOf(BASE, row);
    close(row.sftLogprobs, sft, `${row.id}: sft`);
    close(row.targetLogprobs, sft, `${row.id}: target`);
    close(row.baseLogprobs, base, `${row.id}: base`);
    close(row.tokenRewards, sft.map((x, t) => x - base[t]!), `${row.id}: rewards`);
    assertAlmostEquals(row.rawReward, row.tokenRewards.reduce((a, b) => a + b, 0), 1e-4);
    assertEquals(row.reward, row.rawReward);
  }
});

Deno.test("if SFT and base are equal, every token's reward is exactly 0 (statement 62)", async () => {
  using directory = new TemporaryDirectory();
  const { rows } = await score(directory, reward(directory, [BASE]), ROWS, BASE);
  for (const row of rows) {
    assertEquals([...row.tokenRewards], new Array(row.responseIds.length).fill(0));
    assertEquals([row.rawReward, row.reward], [0, 0]);
  }
});

Deno.test("the reward of a response split in two, its head then being prompt, is the sum of the parts' rewards (statement 64)", async () => {
  using directory = new TemporaryDirectory();
  const whole = ROWS[9]!, ids = [...whole.responseIds], cut = 4;
  const head = rollout("head", [...whole.promptIds], ids.slice(0, cut));
  const tail = rollout("tail", [...whole.promptIds, ...ids.slice(0, cut)], ids.slice(cut));
  const { rows: [all, first, rest] } = await score(directory, reward(directory, [SFT]), [whole, head, tail]);
  assertAlmostEquals(all!.rawReward, first!.rawReward + rest!.rawReward, 1e-4);
  close(all!.tokenRewards, [...first!.tokenRewards, ...rest!.tokenRewards], "tokens");
});

Deno.test("the prompt's tokens do not contribute to the reward (statement 65)", async () => {
  using directory = new TemporaryDirectory();
  const prompt = [1, 40, 41, 9, 60, 33], response = [12, 70, 5, EOS];
  const { rows: [row, longer] } = await score(directory, reward(directory, [SFT]), [
    rollout("response", prompt, response),
    rollout("prompt and response", [1], [...prompt.slice(1), ...response]),
  ]);
  // The same tokens at the same positions: the second row's reward includes those of the first one's prompt.
  const own = longer!.tokenRewards.subarray(0, prompt.length - 1).reduce((a, b) => a + b, 0);
  assert(Math.abs(own) > 0.01, `reward of the prompt: ${own}`);
  close(row!.tokenRewards, longer!.tokenRewards.subarray(prompt.length - 1), "tokens");
  assertAlmostEquals(row!.rawReward, longer!.rawReward - own, 1e-4);
});

Deno.test("ids, sampled log-probabilities and fields are unchanged, with models without a tokenizer (statement 50)", async () => {
  using directory = new TemporaryDirectory();
  const { rows } = await score(directory, reward(directory, [SFT]));
  rows.forEach((row, i) => assertEquals({ ...row, ...ROWS[i]! }, row));
});

Deno.test("several members are combined by the mean of their log-probabilities, token by token", async () => {
  using directory = new TemporaryDirectory();
  const { rows } = await score(directory, reward(directory, [SFT, OTHER]));
  for (const row of rows) {
    const a = logprobsOf(SFT, row), b = logprobsOf(OTHER, row);
    close(row.targetLogprobs, a.map((x, t) => (x + b[t]!) / 2), row.id);
    close(row.sftLogprobs, a, row.id);
  }
});

Deno.test("floor and EOS bound, against the plain reward of the same tokens", async () => {
  using directory = new TemporaryDirectory();
  const plain = (await score(directory, reward(directory, [SFT]))).rows;
  const all = plain.flatMap(({ baseLogprobs }) => [...baseLogprobs]).sort((a, b) => a - b);
  const floor = all[Math.floor(all.length / 3)]!; // a value that occurs: at the floor itself the reward is 0
  const eosBound = 0.01;
  const { rows } = await score(directory, reward(directory, [SFT], { floor, eosBound }));
  let floored = 0, bounded = 0;
  rows.forEach((row, i) =>
    row.responseIds.forEach((id, t) => {
      const r = plain[i]!.tokenRewards[t]!;
      if (id === EOS) {
        assertAlmostEquals(row.tokenRewards[t]!, Math.min(Math.max(r, -eosBound), eosBound), 1e-6);
        if (Math.abs(r) > eosBound) bounded++;
      } else if (row.baseLogprobs[t]! <= floor) {
        assertEquals(row.tokenRewards[t], 0);
        floored++;
      } else assertEquals(row.tokenRewards[t], r);
    })
  );
  assert(floored > all.length / 5 && bounded > 0, `${floored} floored, ${bounded} bounded`);
});

Deno.test("length normalisation divides the reward only, by the length or its root", async () => {
  using directory = new TemporaryDirectory();
  const [row] = ROWS.slice(8), length = row!.responseIds.length;
  for (const [lengthNorm, divisor] of [["mean", length], ["sqrt", Math.sqrt(length)]] as const) {
    const { rows: [scored] } = await score(directory, reward(directory, [SFT], { lengthNorm }), [row!]);
    assertAlmostEquals(scored!.reward, scored!.rawReward / divisor, 1e-12);
    assertAlmostEquals(scored!.rawReward, scored!.tokenRewards.reduce((a, b) => a + b, 0), 1e-5);
  }
});

Deno.test("base_nll is the base's mean on the text alone after BOS, and null for a response of EOS only", async () => {
  using directory = new TemporaryDirectory();
  const rows = [
    rollout("text", [1, 9, 9], [40, 41, 42, EOS]),
    rollout("end", [1, 9], [EOS]),
    rollout("truncated", [1], [40, 41, 42]),
  ];
  const { rows: [text, end, truncated] } = await score(directory, reward(directory, [SFT]), rows);
  const alone = logprobsOf(BASE, rollout("alone", [1], [40, 41, 42]));
  assertAlmostEquals(text!.baseNll!, -(alone[0]! + alone[1]! + alone[2]!) / 3, 1e-6);
  assertEquals(end!.baseNll, null);
  assertEquals(truncated!.baseNll, text!.baseNll); // neither the prompt nor EOS contributes
});

Deno.test("scoring has no state: a second run gives equal bytes, another order equal rows", async () => {
  using directory = new TemporaryDirectory();
  const bagged = reward(directory, [SFT, OTHER], { floor: -6, eosBound: 5 });
  const first = await score(directory, bagged), again = await score(directory, bagged);
  assertEquals(digestFile(again.path), digestFile(first.path));
  const order = ROWS.map((_, i) => (i * 7 + 3) % ROWS.length);
  const { rows } = await score(directory, bagged, order.map((i) => ROWS[i]!));
  assertEquals(rows, order.map((i) => first.rows[i]!));
  const { rows: few } = await score(directory, bagged, ROWS.slice(4, 6));
  assertEquals(few, first.rows.slice(4, 6));
});

Deno.test("scored rows can be scored again by another reward", async () => {
  using directory = new TemporaryDirectory();
  const first = await score(directory, reward(directory, [SFT]));
  const { scored } = await run(stage, directory.file("again"), {
    inputs: { rollouts: first.path, reward: reward(directory, [BASE]), sft: SFT },
  });
  const { rows } = readScored(scored!);
  assertEquals(rows.map(({ id }) => id), ROWS.map(({ id }) => id));
  assert(rows.every(({ rawReward }) => rawReward === 0));
});

Deno.test("a stop that is requested while models run is noticed before the next micro-batch", async () => {
  using directory = new TemporaryDirectory();
  const rollouts = directory.file("rollouts.arrow"), steps: number[] = [];
  await writeRollouts(rollouts, { rows: ROWS, tokenizerDigest: DIGEST });
  await assertRejects(
    () =>
      run(stage, directory.file("out"), {
        inputs: { rollouts, reward: reward(directory, [SFT, OTHER]), sft: SFT },
        stopAfter: 2,
        progress: ({ step }) => steps.push(step!),
      }),
    TryAgainError,
    "Interrupted: this iteration is discarded. Run the same command to resume",
  );
  assert(steps.length < 5, `${steps} of 5`);
});

Deno.test("rows that do not fit the models, another tokenizer, or a critic are errors", async () => {
  using directory = new TemporaryDirectory();
  const paper = reward(directory, [SFT]), file = directory.file("rollouts.arrow");
  const bad = [
    ROWS[0]!,
    rollout("long", new Array(60).fill(5), new Array(5).fill(6)),
    rollout("foreign", [1], [96]),
  ];
  await assertRejects(
    () => score(directory, paper, bad),
    DataError,
    `${file}: a row must have at most 64 tokens (the model's context of 64) and ids below 96, got ` +
      '"long" with 65 tokens; "foreign" with id 96',
  );
  await assertRejects(
    () => score(directory, paper, ROWS, SFT, "ef".repeat(32)),
    DataError,
    "rollouts, sft and reward must have the same tokenizer, got efefefefefef (rollouts), " +
      `${DIGEST.slice(0, 12)} (sft), ${DIGEST.slice(0, 12)} (reward)`,
  );
  await assertRejects(
    () => score(directory, paper, ROWS, `${SRPPO}/critic`),
    DataError,
    `${SRPPO}/critic: a language model is required, got a critic`,
  );
});

Deno.test("a module's reward is added to the models' reward; without one nothing changes", async () => {
  using directory = new TemporaryDirectory();
  const model = "fixtures/stories260k", rollouts = directory.file("rollouts.arrow");
  await writeRollouts(rollouts, { rows: ROWS, tokenizerDigest: tokenizerDigest(model) });
  const external = directory.write(
    "judge.ts",
    "export const reward = (rows) => rows.map(({ ended }) => ended ? 4 : -4);",
  );
  // The member is the base, so that the whole reward is the module's.
  const inputs = { rollouts, reward: reward(directory, [model], {}, model), sft: model };
  const plain = await run(stage, directory.file("plain"), { inputs });
  const mixed = await run(stage, directory.file("mixed"), {
    inputs: { ...inputs, external },
    params: { external_weight: 0.5 },
  });
  const [a, b] = [plain, mixed].map(({ scored }) => readScored(scored!).rows) as [ScoredRow[], ScoredRow[]];
  a.forEach((row, i) => {
    const added = row.finishReason === "eos" ? 2 : -2, zeros = new Array(row.responseIds.length - 1).fill(0);
    assertEquals([row.rawReward, ...row.tokenRewards], [0, ...zeros, 0]);
    assertEquals([b[i]!.rawReward, b[i]!.reward, ...b[i]!.tokenRewards], [added, added, ...zeros, added]);
  });
});

Deno.test("at another sampling temperature, SFT model and base are also scored at it; rewards stay at temperature 1", async () => {
  using directory = new TemporaryDirectory();
  const rollouts = directory.file("rollouts.arrow"), temperature = 0.7;
  await writeRollouts(rollouts, { rows: ROWS, tokenizerDigest: DIGEST });
  const inputs = { rollouts, reward: reward(directory, [SFT]), sft: SFT };
  const scored = async (params: Record<string, unknown>) =>
    (await run(stage, directory.file(crypto.randomUUID()), { inputs, params })).scored!;
  const [plain, one, cool] = [
    await scored({}),
    await scored({ temperature: 1 }),
    await scored({ temperature }),
  ];
  assertEquals(digestFile(one), digestFile(plain));
  // Logits are linear in the last norm's weights: scaled weights give logits/τ by another path.
  const cooled = (source: string) => {
    const { model, parameters } = loadModel(source), norm = parameters.view("model.norm.weight");
    for (let i = 0; i < norm.length; i++) norm[i]! /= temperature;
    return new Network(model, parameters);
  };
  const networks = [cooled(SFT), cooled(BASE)], before = readScored(plain).rows;
  readScored(cool).rows.forEach(
    ({ temperature: found, sftLogprobsTempered: sft, baseLogprobsTempered: base, ...row }, i) => {
      assertEquals([found, row], [temperature, before[i]!]);
      const { promptIds, responseIds } = row, ids = [...promptIds, ...responseIds];
      const targets = [...responseIds].map((_, t) => promptIds.length + t);
      [sft!, base!].forEach((list, k) =>
        close(list, tokenLogprobs(networks[k]!, [{ ids, targets }])[0]!, `${row.id}, model ${k}`)
      );
    },
  );
});

Deno.test("an endpoint that computes what a module does gives the module's bytes; both at once are an error", async () => {
  using directory = new TemporaryDirectory();
  const model = "fixtures/stories260k", rollouts = directory.file("rollouts.arrow");
  await writeRollouts(rollouts, { rows: ROWS, tokenizerDigest: tokenizerDigest(model) });
  const external = directory.write(
    "judge.ts",
    "export const reward = (rows) => rows.map((row) => row.reward + Math.sin(row.response.length) - (row.ended ? 1 / 3 : 0));",
  );
  await using judge = new JudgeServer(({ rows }) => ({
    rewards: rows.map((row) => row.reward + Math.sin(row.response.length) - (row.ended ? 1 / 3 : 0)),
  }));
  const inputs = { rollouts, reward: reward(directory, [model], {}, model), sft: model };
  const params = { external_weight: 0.3 }, ours = { ...params, external_url: judge.url("/judge") };
  const byModule = await run(stage, directory.file("module"), { inputs: { ...inputs, external }, params });
  const byEndpoint = await run(stage, directory.file("endpoint"), { inputs, params: ours });
  assertEquals(judge.asked.map(({ rows }) => rows.length), [ROWS.length]);
  assertEquals(digestFile(byEndpoint.scored!), digestFile(byModule.scored!));
  const plain = await run(stage, directory.file("plain"), { inputs });
  assert(digestFile(byModule.scored!) !== digestFile(plain.scored!));

  const both = await assertRejects(
    () => run(stage, directory.file("both"), { inputs: { ...inputs, external }, params: ours }),
    UsageError,
  );
  assertEquals(
    both.message,
    `Only one external reward is allowed, got the input external=${external} and the parameter external_url`,
  );
});

Deno.test("external_url must be an address of one host, without a login", () => {
  const messageOf = (external_url: string) => schema.safeParse({ external_url }).error?.issues[0]?.message;
  for (
    const good of ["", "http://127.0.0.1:8000/score?version=2", "https://judge.example", "http://[::1]:9/"]
  ) {
    assertEquals(messageOf(good), undefined, good);
  }
  for (
    const bad of ["judge.example", "ftp://judge.example", "http://*.example", "http://a,b", "/tmp/judge"]
  ) {
    assertEquals(messageOf(bad), "must be an address that begins with http:// or https://", bad);
  }
  assertEquals(
    messageOf("http://user:pw@judge.example"),
    "must not contain a user or password, as parameters are stored: set SRPPO_URL_TOKEN=HOST:PORT=TOKEN, which is sent as bearer token",
  );
});

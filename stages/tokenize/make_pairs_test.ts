/** Preference pairs and best-of-n: the stage on files. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { type PairRow, readPairs } from "@/lib/data/contracts/pairs.ts";
import { type RolloutRow, writeRollouts } from "@/lib/data/contracts/rollouts.ts";
import { type ScoredRow, writeScored } from "@/lib/data/contracts/scored.ts";
import type { InputPaths } from "@/lib/data/contracts/stage.ts";
import { readTokens } from "@/lib/data/contracts/tokens.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { runStage } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { stage } from "./main.ts";
import { rankByReward, selectBest } from "./select_rollouts.ts";

const MODEL = "fixtures/stories260k", DIGEST = tokenizerDigest(MODEL);
const tokenizer = loadTokenizer(MODEL);

/** Returns a response `<prompt>/<sample>` with a reward; one that ended has its end token. */
async function response(
  [promptId, sample]: readonly [string, number],
  text: string,
  { reward = 0, finishReason = "eos" as RolloutRow["finishReason"] } = {},
): Promise<ScoredRow> {
  const end = finishReason === "eos" ? "</s>" : "";
  const responseIds = await tokenizer.encode(`${text}${end}`, { special: false });
  const zeros = new Float32Array(responseIds.length);
  return {
    id: `${promptId}/${sample}`,
    promptId,
    sample,
    promptIds: await tokenizer.encode(PROMPTS[promptId]!),
    responseIds,
    logprobs: zeros,
    logprobsT1: null,
    finishReason,
    meta: "{}",
    sftLogprobs: zeros,
    targetLogprobs: zeros,
    baseLogprobs: zeros,
    tokenRewards: zeros,
    rawReward: reward,
    reward,
    baseNll: 1,
  };
}

const PROMPTS: Readonly<Record<string, string>> = {
  a: "Once upon a time",
  b: "Tom had a dog.",
  c: "The end",
};

const texts = ({ promptIds, chosenIds, rejectedIds }: PairRow): string[] =>
  [promptIds, chosenIds, rejectedIds].map((ids) => tokenizer.decode(ids));

async function run(
  directory: TemporaryDirectory,
  given: {
    rows: readonly ScoredRow[];
    scored?: boolean;
    demonstrations?: readonly object[];
    digest?: string;
  },
  params: Record<string, unknown>,
) {
  const rollouts = directory.file("rollouts.arrow"),
    table = { rows: given.rows, tokenizerDigest: given.digest ?? DIGEST };
  await (given.scored === false ? writeRollouts(rollouts, table) : writeScored(rollouts, table));
  const inputs: InputPaths = { rollouts, model: MODEL };
  const demonstrations = directory.file("demos.jsonl");
  if (given.demonstrations) {
    Deno.writeTextFileSync(demonstrations, given.demonstrations.map((row) => JSON.stringify(row)).join("\n"));
  }
  const outputs = await runStage(stage, directory.file(crypto.randomUUID()), {
    inputs: given.demonstrations ? { ...inputs, demonstrations } : inputs,
    params,
  });
  return { outputs, rollouts, report: JSON.parse(Deno.readTextFileSync(`${outputs.report}/report.json`)) };
}

const several = [
  await response(["a", 0], "there was", { reward: 1 }),
  await response(["a", 1], "he ran", { reward: 3 }),
  await response(["a", 2], "she sat", { reward: -1 }),
  await response(["a", 3], "and and", { reward: 9, finishReason: "length" }),
  await response(["b", 0], "It ran", { reward: 2 }),
  await response(["b", 1], "It sat", { reward: 2 }),
  await response(["c", 0], "of it", { reward: 5, finishReason: "stop" }),
];

Deno.test("select=best selects for every prompt the ended response with the highest reward", async () => {
  using directory = new TemporaryDirectory();
  const { outputs, report } = await run(directory, { rows: several }, { select: "best" });
  assertEquals(readTokens(outputs.train!).rows.map(({ id }) => id), ["a/1", "b/0", "c/0"]);
  assertEquals([report.rollouts, report.pairs], [{ offered: 7, ended: 6, selected: 3 }, undefined]);
});

Deno.test("selectBest() selects one response per prompt, for any order, and none has a higher reward", async () => {
  const some = await Promise.all(
    ["a", "b", "c"].flatMap((prompt) => [0, 1, 2, 3].map((sample) => response([prompt, sample], "x"))),
  );
  const rewards = fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 12, maxLength: 12 });
  fc.assert(fc.property(rewards, fc.shuffledSubarray(some, { minLength: 1 }), (rewards, shuffled) => {
    const rows = shuffled.map((row) => ({ ...row, reward: rewards[some.indexOf(row)]! }));
    const best = selectBest(rows).rows;
    assertEquals(new Set(best.map(({ promptId }) => promptId)).size, best.length);
    assertEquals(best.length, new Set(rows.map(({ promptId }) => promptId)).size);
    for (const { promptId, reward } of rows) {
      assert(best.find((row) => row.promptId === promptId)!.reward >= reward);
    }
    assertEquals(rankByReward(rows.toReversed()), rankByReward(rows));
  }));
});

Deno.test("best_worst pairs the best ended response to a prompt with the worst, unless they are tied", async () => {
  using directory = new TemporaryDirectory();
  const { outputs, report } = await run(directory, { rows: several }, {
    select: "best",
    pairs: "best_worst",
  });
  const { rows, tokenizerDigest } = readPairs(outputs.pairs!);
  assertEquals(rows.map(texts), [["<s> Once upon a time", "he ran</s>", "she sat</s>"]]);
  assertEquals(tokenizerDigest, DIGEST);
  const { rows: count, offered, prompts, tied, dropped } = report.pairs;
  assertEquals([count, offered, prompts, tied, dropped], [1, 7, 1, 1, 0]);
});

Deno.test("a response that is only an end token may be the rejected one of a pair", async () => {
  using directory = new TemporaryDirectory();
  const rows = [
    await response(["a", 0], "", { reward: -3 }),
    await response(["a", 1], "he ran", { reward: 1 }),
  ];
  const { outputs } = await run(directory, { rows }, { select: "best", pairs: "best_worst" });
  assertEquals(readPairs(outputs.pairs!).rows.map(texts), [["<s> Once upon a time", "he ran</s>", "</s>"]]);
});

Deno.test("a held-out prompt gives no pair", async () => {
  using directory = new TemporaryDirectory();
  const rows = await Promise.all(
    ["a", "b", "c"].flatMap((prompt) => [0, 1].map((k) => response([prompt, k], `x${k}`, { reward: k }))),
  );
  const params = { select: "best", pairs: "best_worst", validation_fraction: 0.5 };
  const { outputs } = await run(directory, { rows }, params);
  const trained = readTokens(outputs.train!).rows.length, pairs = readPairs(outputs.pairs!).rows.length;
  assertEquals([trained, pairs], [trained, trained]);
  assert(trained < 3 && readTokens(outputs.validation!).rows.length === 3 - trained);
});

Deno.test("spin pairs a demonstration with the model's response, ended or not, and train has demonstrations only", async () => {
  using directory = new TemporaryDirectory();
  const demonstrations = [
    { id: "d0", prompt: PROMPTS.a, response: " he ran" },
    { id: "d1", prompt: PROMPTS.a, response: " we ran" },
    { id: "d2", prompt: PROMPTS.b, response: " It sat" },
    { id: "d3", prompt: "Nobody asked", response: " it" },
  ];
  const { outputs, report } = await run(directory, { rows: several, scored: false, demonstrations }, {
    pairs: "spin",
  });
  const once = "<s> Once upon a time", tom = "<s> Tom had a dog.";
  assertEquals(readPairs(outputs.pairs!).rows.map(texts), [
    [once, "he ran</s>", "there was</s>"],
    [once, "we ran</s>", "he ran</s>"],
    [once, "he ran</s>", "she sat</s>"],
    [once, "we ran</s>", "and and"], // truncated at the length limit: without an end token
    [tom, "It sat</s>", "It ran</s>"], // its other response equals the demonstration
  ]);
  assertEquals([report.pairs.tied, report.pairs.prompts, report.rollouts], [1, 2, null]);
  assertEquals(readTokens(outputs.train!).rows.map(({ id }) => id), ["d0", "d1", "d2", "d3"]);
});

Deno.test("of a conversation, the first response is chosen, up to its end token", async () => {
  using directory = new TemporaryDirectory();
  const chat = {
    messages: [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Go." },
      { role: "user", content: "Where" },
      { role: "assistant", content: "Out." },
    ],
  };
  const asked = await run(directory, { rows: several, demonstrations: [chat] }, {
    chat_template: "plain",
    select: "all",
  });
  const row = readTokens(asked.outputs.train!).rows.find(({ source }) =>
    source.startsWith("demonstrations")
  )!;
  const first = row.lossMask.indexOf(1), end = row.lossMask.indexOf(0, first);
  const own = { ...several[0]!, promptIds: row.inputIds.slice(0, first) };
  const params = { chat_template: "plain", pairs: "spin" };
  const { outputs } = await run(directory, { rows: [own], demonstrations: [chat] }, params);
  const [pair] = readPairs(outputs.pairs!).rows;
  assert(end > first && row.lossMask.indexOf(1, end) > end, "two responses are supervised");
  assertEquals([...pair!.chosenIds], [...row.inputIds.subarray(first, end)]);
});

Deno.test("responses that exceed max_length are refused together, or dropped", async () => {
  using directory = new TemporaryDirectory();
  const long = " the".repeat(20);
  const rows = [
    await response(["a", 0], "he ran", { reward: 1 }),
    await response(["a", 1], long, { reward: 0 }),
    await response(["b", 0], "it sat", { reward: 1 }),
    await response(["b", 1], "it", { reward: 0 }),
  ];
  const params = { select: "best", pairs: "best_worst", max_length: 16 };
  const tokens = rows[1]!.promptIds.length + rows[1]!.responseIds.length;
  const refused = await assertRejects(() => run(directory, { rows }, params), DataError);
  assertEquals(
    refused.message,
    `${directory.file("rollouts.arrow")}: prompt and response of a pair must have at most 16 tokens ` +
      `(or use --truncation drop, left or right), got 1 bad row: rollout a/0 or a/1 (${tokens} tokens)`,
  );
  const { outputs, report } = await run(directory, { rows }, { ...params, truncation: "drop" });
  assertEquals(readPairs(outputs.pairs!).rows.length, 1);
  assertEquals(report.pairs.dropped, 1);
});

Deno.test("impossible pairs are refused with the reason", async () => {
  using directory = new TemporaryDirectory();
  const file = directory.file("rollouts.arrow");
  const cases: [() => Promise<unknown>, typeof DataError | typeof UsageError, string][] = [
    [
      () => run(directory, { rows: several }, { pairs: "spin", response_pattern: "x" }),
      UsageError,
      "pairs=spin: missing input demonstrations; response_pattern must be empty, since it truncates responses",
    ],
    [
      () => run(directory, { rows: several, scored: false }, { pairs: "best_worst", select: "all" }),
      DataError,
      `${file}: pairs=best_worst requires scored@1, got rollouts@1`,
    ],
    [
      () => run(directory, { rows: several, scored: false }, { select: "best" }),
      DataError,
      `${file}: select=best requires scored@1, got rollouts@1`,
    ],
    [
      () => run(directory, { rows: several.slice(4) }, { pairs: "best_worst", select: "best" }),
      DataError,
      `${file}: pairs=best_worst requires two ended responses to a prompt with different rewards, got no pair from 3 ` +
      "responses (1 tied, 0 too long)",
    ],
    [
      () =>
        run(directory, { rows: several, demonstrations: [{ prompt: "Nobody asked", response: " it" }] }, {
          pairs: "spin",
        }),
      DataError,
      `${file}: pairs=spin requires responses to the prompts of demonstrations, got no pair from 7 responses ` +
      "(0 tied, 0 too long)",
    ],
    [
      () => run(directory, { rows: several, digest: "0" }, { pairs: "best_worst", select: "best" }),
      DataError,
      `${file}: token ids must be those of the model's tokenizer, ${DIGEST}, got 0`,
    ],
  ];
  for (const [fails, kind, message] of cases) {
    const error = await assertRejects(fails, kind as typeof DataError);
    assertEquals(error.message, message);
  }
});

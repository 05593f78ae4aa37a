import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { tableFromIPC } from "apache-arrow";
import { decodeArrow } from "@/lib/data/arrow/decode_arrow.ts";
import { encodeArrow } from "@/lib/data/arrow/encode_arrow.ts";
import { digestFile } from "@/lib/data/files/digest.ts";
import { ColumnError, DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { readContractHeader } from "./contract_file.ts";
import { type EvalRow, readEvals, writeEvals } from "./evals.ts";
import { readMetrics, writeMetrics } from "./metrics.ts";
import { type PairRow, readPairs, writePairs } from "./pairs.ts";
import { type PromptRow, readPrompts, writePrompts } from "./prompts.ts";
import { readRollouts, type RolloutRow, writeRollouts } from "./rollouts.ts";
import { readSamples, type SampleRow, writeSamples } from "./samples.ts";
import { readScored, type ScoredRow, writeScored } from "./scored.ts";
import { readTokens, type TokenRow, writeTokens } from "./tokens.ts";

const DIGEST = "0".repeat(64);

const TOKEN: TokenRow = {
  id: "a",
  inputIds: Int32Array.of(1, 2, 3),
  lossMask: Uint8Array.of(0, 1, 1),
  source: "demos.jsonl:1",
};
const PROMPT: PromptRow = { id: "p", promptIds: Int32Array.of(1, 5), meta: '{"words":["é"]}' };
const ROLLOUT: RolloutRow = {
  id: "p/0",
  promptId: "p",
  sample: 0,
  promptIds: Int32Array.of(1, 5),
  responseIds: Int32Array.of(7, 8, 2),
  logprobs: Float32Array.of(-0.5, -1, -0.25),
  logprobsT1: null,
  finishReason: "eos",
  meta: "{}",
};
const SCORED: ScoredRow = {
  ...ROLLOUT,
  logprobsT1: Float32Array.of(-1, -2, -3),
  sftLogprobs: Float32Array.of(-1, -1, -1),
  targetLogprobs: Float32Array.of(-1, -1.5, -1),
  baseLogprobs: Float32Array.of(-2, -2, -2),
  tokenRewards: Float32Array.of(1, 0.5, 1),
  rawReward: 2.5,
  reward: 2.5,
  baseNll: null,
};
const PAIR: PairRow = {
  promptIds: Int32Array.of(1),
  chosenIds: Int32Array.of(2, 3),
  rejectedIds: Int32Array.of(4),
};
const EVAL: EvalRow = { model: "sft", mode: "greedy", metric: "score", mean: 0.5, stderr: 0.1, n: 2 ** 40 };
const METRIC = { step: 3, name: "kl", value: -0.25 };
const SAMPLE: SampleRow = {
  model: "sft",
  mode: "sampled",
  promptId: "p",
  prompt: "Once",
  response: "upon\n",
  finishReason: "length",
  scores: '{"reward":1}',
};

Deno.test("optional columns are written if rows have them, and then by all; without them the file is as before", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("scored.arrow"), nats = Float32Array.of(-1, -2, -0.5);
  const columns = () => tableFromIPC(Deno.readFileSync(path)).schema.fields.map(({ name }) => name);
  await writeScored(path, { rows: [SCORED], tokenizerDigest: DIGEST });
  const plain = columns();
  const full = {
    ...SCORED,
    normalisedRewards: nats,
    temperature: 0.7,
    sftLogprobsTempered: nats,
    baseLogprobsTempered: nats,
  };
  await writeScored(path, { rows: [full, { ...full, temperature: 0.8 }], tokenizerDigest: DIGEST });
  assertEquals(readScored(path).rows, [full, { ...full, temperature: 0.8 }]);
  const optional = ["normalised_rewards", "temperature", "sft_logprobs_tempered", "base_logprobs_tempered"];
  assertEquals(columns(), [...plain, ...optional]);
  assertEquals(readRollouts(path).rows[0], { ...ROLLOUT, logprobsT1: SCORED.logprobsT1 });
  const { message } = await assertRejects(
    () => writeScored(path, { rows: [SCORED, full], tokenizerDigest: DIGEST }),
    ColumnError,
  );
  assertEquals(message, 'Column "normalised_rewards", row 0, must be list<f32>, got undefined');
  const short = { ...full, normalisedRewards: Float32Array.of(1) };
  await assertRejects(
    () => writeScored(path, { rows: [short], tokenizerDigest: DIGEST }),
    ColumnError,
    'column "normalised_rewards", row 0 must have as many elements as response_ids (3), got 1',
  );
});

Deno.test("reading a contract's file returns the rows that were written", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("nested/file.arrow");
  const second = { ...SCORED, id: "p/1", sample: 1, logprobsT1: null, baseNll: 1.5 };
  await writeTokens(path, { rows: [TOKEN], tokenizerDigest: DIGEST });
  assertEquals(readTokens(path), { rows: [TOKEN], tokenizerDigest: DIGEST });
  await writePrompts(path, { rows: [PROMPT], tokenizerDigest: DIGEST });
  assertEquals(readPrompts(path), { rows: [PROMPT], tokenizerDigest: DIGEST });
  await writeRollouts(path, { rows: [ROLLOUT], tokenizerDigest: DIGEST });
  assertEquals(readRollouts(path), { rows: [ROLLOUT], tokenizerDigest: DIGEST });
  await writeScored(path, { rows: [SCORED, second], tokenizerDigest: DIGEST });
  assertEquals(readScored(path), { rows: [SCORED, second], tokenizerDigest: DIGEST });
  await writePairs(path, { rows: [PAIR], tokenizerDigest: DIGEST });
  assertEquals(readPairs(path), { rows: [PAIR], tokenizerDigest: DIGEST });
  await writeEvals(path, [EVAL]);
  assertEquals(readEvals(path), [EVAL]);
  await writeMetrics(path, [METRIC]);
  assertEquals(readMetrics(path), [METRIC]);
  await writeSamples(path, [SAMPLE]);
  assertEquals(readSamples(path), [SAMPLE]);
});

Deno.test("the rollouts of a scored file can be read as rollouts", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("scored.arrow");
  await writeScored(path, { rows: [SCORED], tokenizerDigest: DIGEST });
  assertEquals(readRollouts(path).rows, [{ ...ROLLOUT, logprobsT1: SCORED.logprobsT1 }]);
  assertEquals(readContractHeader(path), { contract: "scored@1", tokenizerDigest: DIGEST });
});

Deno.test("metadata has one key, and equal rows give the same bytes in every version", async () => {
  using directory = new TemporaryDirectory();
  const [one, two] = [directory.file("one.arrow"), directory.file("two.arrow")];
  await writeScored(one, { rows: [SCORED, { ...SCORED, id: "p/1" }], tokenizerDigest: DIGEST });
  await writeScored(two, readScored(one));
  assertEquals(Deno.readFileSync(two), Deno.readFileSync(one));
  const { metadata } = decodeArrow(Deno.readFileSync(one), {}, one);
  assertEquals(metadata, new Map([["srppo", `{"contract":"scored@1","tokenizer":"${DIGEST}"}`]]));
  // Stores find files by digest: another layout of the same rows by the library must be noticed.
  await writeMetrics(one, [METRIC]);
  assertEquals(digestFile(one), "1958ca0d2641341527101b6f934b334d6440557d5457c3d1dcf7013f72508590");
});

Deno.test("writers and readers list the rows that violate a contract", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("rollouts.arrow");
  const rows: RolloutRow[] = [
    ROLLOUT,
    { ...ROLLOUT, logprobs: Float32Array.of(-1, NaN), logprobsT1: Float32Array.of(0) },
    { ...ROLLOUT, responseIds: Int32Array.of(1, -2, 3), finishReason: "max" as "eos", sample: -1 },
  ];
  const error = await assertRejects(
    () => writeRollouts(path, { rows, tokenizerDigest: DIGEST }),
    ColumnError,
  );
  assertEquals(
    error.message,
    `${path} (rollouts@1): ` +
      'column "logprobs", row 1 must have as many elements as response_ids (3), got 2; ' +
      'column "logprobs", row 1 must have finite numbers, got NaN (element 1); ' +
      'column "logprobs_t1", row 1 must have as many elements as response_ids (3), got 1; ' +
      'column "sample", row 2 must be an integer of at least 0, got -1; ' +
      'column "response_ids", row 2 must have ids of at least 0, got -2 (element 1); ' +
      'column "finish_reason", row 2 must be one of eos, length, stop, got "max"',
  );
  assertEquals(error.where, { file: path, column: "logprobs", row: 1 });
  assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
  // Rows that are written without the contract's own writer.
  const schema = { id: "utf8", prompt_ids: "list<i32>", meta: "utf8" } as const;
  const columns = { id: ["a", "b"], prompt_ids: [Int32Array.of(1), Int32Array.of()], meta: ["{}", "{}"] };
  const header = `{"contract":"prompts@1","tokenizer":"${DIGEST}"}`;
  directory.write("rollouts.arrow", encodeArrow(schema, columns, new Map([["srppo", header]])));
  assertEquals(
    assertThrows(() => readPrompts(path), ColumnError).message,
    `${path} (prompts@1): column "prompt_ids", row 1 must have elements, got none`,
  );
});

Deno.test("every number and list of scored rows is checked", async () => {
  const wrong: [Partial<ScoredRow>, string][] = [
    [
      { sftLogprobs: Float32Array.of(0) },
      '"sft_logprobs", row 0 must have as many elements as response_ids (3), got 1',
    ],
    [
      { targetLogprobs: Float32Array.of(0, -Infinity, 0) },
      '"target_logprobs", row 0 must have finite numbers, got -Infinity (element 1)',
    ],
    [
      { baseLogprobs: Float32Array.of(NaN, 0, 0) },
      '"base_logprobs", row 0 must have finite numbers, got NaN (element 0)',
    ],
    [
      { tokenRewards: Float32Array.of() },
      '"token_rewards", row 0 must have as many elements as response_ids (3), got 0',
    ],
    [{ rawReward: Infinity }, '"raw_reward", row 0 must be finite, got Infinity'],
    [{ reward: NaN }, '"reward", row 0 must be finite, got NaN'],
    [{ baseNll: NaN }, '"base_nll", row 0 must be finite, got NaN'],
    [{ promptIds: Int32Array.of() }, '"prompt_ids", row 0 must have elements, got none'],
  ];
  for (const [change, message] of wrong) {
    const table = { rows: [{ ...SCORED, ...change }], tokenizerDigest: DIGEST };
    const error = await assertRejects(() => writeScored("runs/none.arrow", table), ColumnError);
    assertEquals(error.message, `runs/none.arrow (scored@1): column ${message}`);
  }
  const mask = { ...TOKEN, lossMask: Uint8Array.of(0, 2, 1) };
  const error = await assertRejects(
    () => writeTokens("runs/none.arrow", { rows: [mask], tokenizerDigest: DIGEST }),
    ColumnError,
  );
  assertEquals(
    error.message,
    'runs/none.arrow (tokens@1): column "loss_mask", row 0 must be 0 or 1, got 2 (element 1)',
  );
});

Deno.test("another contract, a file without contract, no rows and no tokenizer are errors", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("a.arrow");
  await writePrompts(path, { rows: [PROMPT], tokenizerDigest: DIGEST });
  assertEquals(
    assertThrows(() => readRollouts(path), DataError).message,
    `${path} must be rollouts@1 or scored@1, got prompts@1`,
  );
  await writePrompts(path, { rows: [], tokenizerDigest: DIGEST });
  assertEquals(
    assertThrows(() => readPrompts(path), DataError).message,
    `${path} (prompts@1) must have rows, got none`,
  );
  directory.write("a.arrow", encodeArrow({ id: "utf8" }, { id: ["x"] }, new Map([["srppo", "{"]])));
  assertEquals(
    assertThrows(() => readPrompts(path), DataError).message,
    `${path} must have a metadata key "srppo" with its contract, got none`,
  );
  const schema = { id: "utf8", prompt_ids: "list<i32>", meta: "utf8" } as const;
  const columns = { id: ["x"], prompt_ids: [Int32Array.of(1)], meta: ["{}"] };
  directory.write("a.arrow", encodeArrow(schema, columns, new Map([["srppo", '{"contract":"prompts@1"}']])));
  assertEquals(
    assertThrows(() => readPrompts(path), DataError).message,
    `${path} must have the digest of its tokenizer in its metadata, got none`,
  );
  await writeMetrics(path, []);
  assertEquals(readMetrics(path), []);
});

/** Tests the stage on pairs: gradient, training, interruption and resuming, errors. @module */
import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { type MetricRow, readMetrics } from "@/lib/data/contracts/metrics.ts";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { type PairRow, writePairs } from "@/lib/data/contracts/pairs.ts";
import { writeTokens } from "@/lib/data/contracts/tokens.ts";
import { digestDirectory, digestFile } from "@/lib/data/files/digest.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { makeKey, uniform } from "@/lib/compute/random/uniform.ts";
import { DataError, TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import { runStage, type StageRun } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { stage } from "./main.ts";
import { pairObjective, type PairParams, pairSequences } from "./pair_objective.ts";

/** 96 ids, a context of 64 tokens, two blocks. */
const MODEL = "fixtures/goldens/srppo/base", OTHER = "fixtures/goldens/srppo/policy";
const DIGEST = tokenizerDigest(MODEL);
const SETTINGS = { objective: "dpo", epochs: 2, batch_size: 8, lr: 1e-3, beta: 0.5 };

/** Chosen responses count upwards, rejected ones downwards; lengths differ. */
function pairs(count: number, promptLength = (i: number) => 2 + i % 7): PairRow[] {
  const ids = (length: number, of: (t: number) => number) =>
    Int32Array.from({ length }, (_, t) => 3 + of(t) % 90);
  return Array.from({ length: count }, (_, i) => ({
    promptIds: ids(promptLength(i), (t) => i * 7 + t),
    chosenIds: ids(3 + i * 5 % 8, (t) => i * 11 + t),
    rejectedIds: ids(2 + i * 3 % 9, (t) => 900 + i * 13 - t),
  }));
}

async function write(
  directory: TemporaryDirectory,
  rows = pairs(24),
  tokenizerDigest = DIGEST,
): Promise<string> {
  const path = directory.file(`${crypto.randomUUID()}.arrow`);
  await writePairs(path, { rows, tokenizerDigest });
  return path;
}

function run(home: string, given: Partial<StageRun> & { pairs?: string }) {
  const { pairs, inputs = {}, params = {}, ...rest } = given;
  return runStage(stage, home, {
    inputs: { model: MODEL, ...(pairs === undefined ? {} : { pairs }), ...inputs },
    params: { ...SETTINGS, ...params },
    ...rest,
  });
}

const valuesOf = (rows: readonly MetricRow[], name: string) =>
  rows.filter((row) => row.name === name).map(({ value }) => value);

const bytesOf = ({ policy, metrics }: Record<string, string>) => [
  digestDirectory(policy!).digest,
  digestFile(metrics!),
];

/** Summed log-probabilities of the responses: chosen and rejected of every pair. */
const sumsOf = (network: Network, rows: readonly PairRow[]) =>
  tokenLogprobs(network, pairSequences(rows)).map((row) => row.reduce((sum, x) => sum + x, 0));

for (
  const [objective, label_smoothing, chosen_nll_coef] of [["dpo", 0, 0], ["dpo", 0.1, 0.7], [
    "spin",
    0,
    0,
  ]] as const
) {
  Deno.test(`the gradient of ${objective} with smoothing ${label_smoothing} and ${chosen_nll_coef} of likelihood is that of its loss`, () => {
    const { model, parameters } = loadModel(OTHER), base = loadModel(MODEL), rows = pairs(5);
    const network = new Network(model, parameters, { trainable: true });
    const reference = new Network(base.model, base.parameters), fixed = sumsOf(reference, rows);
    const params: PairParams = {
      objective,
      beta: 0.3,
      label_smoothing,
      chosen_nll_coef,
      micro_batch_tokens: 64,
    };
    const batch = [3, 0, 4, 1];
    const metrics = pairObjective(rows, reference, params).accumulate(network, batch);
    const loss = () => { // as the papers print it
      const sums = sumsOf(network, rows);
      const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
      let sum = 0, nll = 0, tokens = 0;
      for (const i of batch) {
        const u = 0.3 * (sums[2 * i]! - fixed[2 * i]! - sums[2 * i + 1]! + fixed[2 * i + 1]!);
        sum -= (1 - label_smoothing) * Math.log(sigmoid(u)) + label_smoothing * Math.log(sigmoid(-u));
        nll -= sums[2 * i]!;
        tokens += rows[i]!.chosenIds.length;
      }
      return sum / batch.length + chosen_nll_coef * nll / tokens;
    };
    assertAlmostEquals(metrics.loss, loss(), 1e-5);
    // Along the gradient and along random directions.
    const start = parameters.data.slice(), gradient = network.gradients!.data.slice();
    const norm = Math.hypot(...gradient), key = makeKey(7, "direction");
    const random = gradient.map((_, i) => (uniform(key, i) - 0.5) * Math.sqrt(12 / gradient.length));
    for (const direction of [gradient.map((g) => g / norm), random]) {
      const h = 1e-2;
      const at = (step: number) => {
        start.forEach((w, i) => parameters.data[i] = w + step * direction[i]!);
        return loss();
      };
      const slope = (at(h) - at(-h)) / (2 * h),
        expected = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0);
      assertAlmostEquals(slope, expected, 2e-3 * Math.max(norm, 1e-3), "central difference");
    }
  });
}

Deno.test("training starts at log 2 without a margin; then the margin grows and accuracy reaches 1", async () => {
  using directory = new TemporaryDirectory();
  const outputs = await run(directory.file("out"), { pairs: await write(directory), params: { epochs: 8 } });
  const metrics = readMetrics(outputs.metrics!), of = (name: string) => valuesOf(metrics, name);
  assertEquals(of("loss").length, 24); // 8 epochs of 24 pairs, 8 a batch
  assertEquals([of("loss")[0], of("margin")[0], of("accuracy")[0]], [Math.LN2, 0, 0]);
  assert(of("loss").at(-1)! < 0.3 && of("margin").at(-1)! > 1, `loss ends at ${of("loss").at(-1)}`);
  assertEquals(of("accuracy").at(-1), 1);
  of("margin").forEach((margin, i) =>
    assertAlmostEquals(margin, of("chosen_reward")[i]! - of("rejected_reward")[i]!, 1e-9)
  );
  assert(
    of("chosen_logprob").every((x) => x < 0) && of("rejected_logprob").at(-1)! < of("rejected_logprob")[0]!,
  );
  assertEquals(of("updates"), [24]);
});

Deno.test("the reference is the initial model unless another is given, and the first metrics are measured against it", async () => {
  using directory = new TemporaryDirectory();
  const rows = pairs(8), file = await write(directory, rows), params = { max_updates: 1 };
  const outputs = await run(directory.file("out"), { pairs: file, inputs: { reference: OTHER }, params });
  const [own, fixed] = [MODEL, OTHER].map((path) => {
    const { model, parameters } = loadModel(path);
    return sumsOf(new Network(model, parameters), rows);
  });
  const rewards = own!.map((x, i) => 0.5 * (x - fixed![i]!)), metrics = readMetrics(outputs.metrics!);
  const mean = (parity: number) => rewards.filter((_, i) => i % 2 === parity).reduce((a, b) => a + b) / 8;
  assertAlmostEquals(valuesOf(metrics, "chosen_reward")[0]!, mean(0), 1e-5);
  assertAlmostEquals(valuesOf(metrics, "rejected_reward")[0]!, mean(1), 1e-5);
  const same = await run(directory.file("same"), { pairs: file, inputs: { reference: MODEL }, params });
  assertEquals(bytesOf(same), bytesOf(await run(directory.file("none"), { pairs: file, params })));
});

Deno.test("spin with λ is dpo with β = λ, without the likelihood term", async () => {
  using directory = new TemporaryDirectory();
  const file = await write(directory), runs: string[][] = [];
  for (
    const params of [{ objective: "dpo" }, { objective: "spin" }, { objective: "spin", chosen_nll_coef: 1 }]
  ) {
    runs.push(bytesOf(await run(directory.file(`${runs.length}`), { pairs: file, params })));
  }
  assertEquals(runs[1], runs[0]);
  assertNotEquals(runs[2], runs[0]);
});

Deno.test("the size of micro-batches of pairs changes nothing beyond rounding", async () => {
  using directory = new TemporaryDirectory();
  const file = await write(directory), runs: MetricRow[][] = [];
  for (const micro_batch_tokens of [16, 4096]) {
    const outputs = await run(directory.file(`${micro_batch_tokens}`), {
      pairs: file,
      params: { micro_batch_tokens },
    });
    runs.push(readMetrics(outputs.metrics!));
  }
  runs[0]!.forEach(({ name, step, value }, i) =>
    assertAlmostEquals(
      value,
      runs[1]![i]!.value,
      1e-4 * Math.max(1, Math.abs(value)),
      `${name} of update ${step}`,
    )
  );
});

Deno.test("interrupted on pairs and resumed from its scratch, it writes the bytes of an uninterrupted run", async () => {
  using directory = new TemporaryDirectory();
  const file = await write(directory),
    undisturbed = bytesOf(await run(directory.file("whole"), { pairs: file }));
  for (const updates of [1, 4]) {
    const scratch = directory.file(`scratch${updates}`);
    Deno.mkdirSync(scratch);
    await assertRejects(
      () => run(directory.file(`stopped${updates}`), { pairs: file, scratch, stopAfter: updates }),
      TryAgainError,
      `Interrupted: ${updates} of 6 updates are saved. Run the same command to resume`,
    );
    // The reference is the model as training began, not as it was stopped.
    assertEquals(
      bytesOf(await run(directory.file(`resumed${updates}`), { pairs: file, scratch })),
      undisturbed,
    );
  }
});

Deno.test("an adapter is trained on pairs with its base as reference", async () => {
  using directory = new TemporaryDirectory();
  const params = { lora_rank: 4, lr: 1e-2, epochs: 8 };
  const outputs = await run(directory.file("out"), { pairs: await write(directory), params });
  const metrics = readMetrics(outputs.metrics!);
  assertAlmostEquals(valuesOf(metrics, "loss")[0]!, Math.LN2, 1e-6);
  assert(valuesOf(metrics, "margin").at(-1)! > 0.5);
});

Deno.test("a subsample and the number of updates count pairs", async () => {
  using directory = new TemporaryDirectory();
  const outputs = await run(directory.file("out"), {
    pairs: await write(directory),
    params: { subsample: 0.5 },
  });
  assertEquals(valuesOf(readMetrics(outputs.metrics!), "updates"), [4]); // 2 epochs of 12 pairs, 8 a batch
});

Deno.test("an objective without its inputs, or with others, is an error that lists all problems", async () => {
  using directory = new TemporaryDirectory();
  const tokens = directory.file("tokens.arrow"), file = await write(directory);
  const row = { id: "a", inputIds: Int32Array.of(1, 2), lossMask: Uint8Array.of(0, 1), source: "" };
  await writeTokens(tokens, { rows: [row], tokenizerDigest: DIGEST });
  const cases: [Partial<StageRun> & { pairs?: string }, string][] = [
    [
      { inputs: { tokens }, params: { loss: "all", pack: true } },
      "Invalid inputs and parameters for objective=dpo: input pairs is missing; input tokens must not be given; " +
      "loss must be response, got all; pack must be false, got true",
    ],
    [
      { pairs: file, inputs: { reference: OTHER }, params: { objective: "nll" } },
      "Invalid inputs and parameters for objective=nll: input tokens is missing; input pairs must not be given; " +
      "input reference must not be given",
    ],
  ];
  for (const [given, message] of cases) {
    const error = await assertRejects(() => run(directory.file("out"), given), UsageError);
    assertEquals(error.message, message);
  }
});

Deno.test("pairs that do not fit the model, or of another tokenizer, are an error before training", async () => {
  using directory = new TemporaryDirectory();
  const long = await write(directory, pairs(2, (i) => i === 0 ? 63 : 3));
  const error = await assertRejects(() => run(directory.file("out"), { pairs: long }), DataError);
  assertEquals(
    error.message,
    `${long}: a row must have at most 64 tokens (the model's context of 64) and ids below 96, got ` +
      '"pair 0, chosen" with 66 tokens; "pair 0, rejected" with 65 tokens',
  );
  const other = await write(directory, pairs(2), "ab".repeat(32));
  await assertRejects(
    () => run(directory.file("out"), { pairs: other }),
    DataError,
    "pairs, model and reference must have the same tokenizer, got abababababab (pairs)",
  );
});

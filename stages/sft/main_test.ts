/** Tests the stage on files: training, interruption and resuming, errors. @module */
import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { type MetricRow, readMetrics, writeMetrics } from "@/lib/data/contracts/metrics.ts";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { type TokenRow, writeTokens } from "@/lib/data/contracts/tokens.ts";
import { digestDirectory, digestFile } from "@/lib/data/files/digest.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { DataError, TryAgainError } from "@/lib/compute/tensor/errors.ts";
import { Network } from "@/lib/model/train/network.ts";
import { runStage as run, type StageRun } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { stage } from "./main.ts";
import { supervisedSequences } from "./objective.ts";
import { validationLoss } from "./validation_loss.ts";

/** 96 ids, a context of 64 tokens, two blocks. */
const MODEL = "fixtures/goldens/srppo/base";
const DIGEST = tokenizerDigest(MODEL);
const SETTINGS = { epochs: 2, batch_size: 8, lr: 1e-2, warmup_ratio: 0.1 };

/** Rows that count upwards: easy to learn. Two thirds of a row are supervised. */
function demonstrations(count: number, length = (i: number) => 6 + i * 5 % 11): TokenRow[] {
  return Array.from({ length: count }, (_, i) => {
    const inputIds = Int32Array.from({ length: length(i) }, (_, t) => t === 0 ? 1 : 3 + (i * 7 + t) % 90);
    return {
      id: `d${i}`,
      inputIds,
      lossMask: Uint8Array.from(inputIds, (_, t) => t * 3 >= inputIds.length ? 1 : 0),
      source: `demos.jsonl:${i + 1}`,
    };
  });
}

async function write(
  directory: TemporaryDirectory,
  rows = demonstrations(24),
  tokenizerDigest = DIGEST,
): Promise<string> {
  const path = directory.file(`${crypto.randomUUID()}.arrow`);
  await writeTokens(path, { rows, tokenizerDigest });
  return path;
}

function runStage(home: string, given: Partial<StageRun> & { tokens: string }) {
  const { tokens, inputs = {}, params = {}, ...rest } = given;
  return run(stage, home, {
    inputs: { tokens, model: MODEL, ...inputs },
    params: { ...SETTINGS, ...params },
    ...rest,
  });
}

const valuesOf = (rows: readonly MetricRow[], name: string) =>
  rows.filter((row) => row.name === name).map(({ value }) => value);

/** Digests of all that a run wrote. */
const bytesOf = ({ policy, metrics, checkpoints }: Record<string, string>) => [
  digestDirectory(policy!).digest,
  digestFile(metrics!),
  exists(checkpoints!) ? digestDirectory(checkpoints!).digest : "none",
];

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("the loss decreases, and every update reports loss, gradient norm and learning rate", async () => {
  using directory = new TemporaryDirectory();
  const outputs = await runStage(directory.file("out"), {
    tokens: await write(directory),
    params: { epochs: 8 },
  });
  const metrics = readMetrics(outputs.metrics!), losses = valuesOf(metrics, "loss");
  assertEquals(losses.length, 24); // 8 epochs of 24 rows, 8 a batch
  assertAlmostEquals(losses[0]!, Math.log(96), 0.5); // random weights: about uniform
  assert(losses.at(-1)! < losses[0]! / 2, `loss went from ${losses[0]} to ${losses.at(-1)}`);
  assertEquals(metrics.filter(({ name }) => name === "loss").map(({ step }) => step), [...losses.keys()]);
  const lr = valuesOf(metrics, "lr");
  assertEquals(lr.slice(0, 3), [5e-3, 1e-2, 1e-2]); // ⌊0.1 · 24⌋ = 2 updates of warm-up
  assert(lr.at(-1)! > 0 && lr.at(-1)! < 1e-3);
  assertEquals(valuesOf(metrics, "updates"), [24]);
  assertEquals(exists(outputs.checkpoints!), false);
});

Deno.test("sft writes no optimizer state, which no stage reads (8 bytes per parameter)", async () => {
  using directory = new TemporaryDirectory();
  const home = directory.file("out");
  await runStage(home, { tokens: await write(directory), params: { max_updates: 1 } });
  assertEquals(Object.keys(stage.outputs), ["policy", "checkpoints", "left_out", "metrics"]);
  assertEquals([...Deno.readDirSync(home)].map(({ name }) => name).sort(), ["metrics", "policy"]);
});

Deno.test("only supervised tokens count in the loss, or all with loss: all", async () => {
  using directory = new TemporaryDirectory();
  const rows = demonstrations(8), tokens = await write(directory, rows);
  const { model, parameters } = loadModel(MODEL), network = new Network(model, parameters);
  for (const loss of ["response", "all"] as const) {
    const outputs = await runStage(directory.file(loss), { tokens, params: { loss, max_updates: 1 } });
    // One batch holds all rows; its loss is the mean over all their supervised tokens, taken before the update.
    const [found] = valuesOf(readMetrics(outputs.metrics!), "loss");
    const expected = await validationLoss(network, supervisedSequences(rows, loss, "test"), 0);
    assertAlmostEquals(found!, expected, 1e-5, loss);
  }
});

Deno.test("the size of micro-batches changes nothing beyond rounding", async () => {
  using directory = new TemporaryDirectory();
  const tokens = await write(directory);
  const runs = [];
  for (const micro_batch_tokens of [16, 4096]) {
    const outputs = await runStage(directory.file(`m${micro_batch_tokens}`), {
      tokens,
      params: { micro_batch_tokens, lr: 1e-3 },
    });
    runs.push({
      metrics: readMetrics(outputs.metrics!),
      weights: loadModel(outputs.policy!).parameters.data,
    });
  }
  const [small, large] = runs;
  small!.metrics.forEach(({ name, step, value }, i) =>
    assertAlmostEquals(value, large!.metrics[i]!.value, 1e-5, `${name} of update ${step}`)
  );
  const largest = small!.weights.reduce((most, w, i) => Math.max(most, Math.abs(w - large!.weights[i]!)), 0);
  assert(largest < 2e-5, `weights differ by ${largest}`);
});

Deno.test("validation_loss is that of the final weights", async () => {
  using directory = new TemporaryDirectory();
  const held = demonstrations(30).slice(24);
  const outputs = await runStage(directory.file("out"), {
    tokens: await write(directory),
    inputs: { validation: await write(directory, held) },
    params: { max_updates: 3 },
  });
  const { model, parameters } = loadModel(outputs.policy!);
  const expected = await validationLoss(
    new Network(model, parameters),
    supervisedSequences(held, "response", "test"),
    3,
  );
  assertEquals(valuesOf(readMetrics(outputs.metrics!), "validation_loss"), [expected]);
});

Deno.test("a run of no policy updates to match leaves the model unchanged, byte for byte", async () => {
  using directory = new TemporaryDirectory();
  const metrics = directory.file("iteration.arrow");
  await writeMetrics(metrics, [{ step: 0, name: "policy_updates", value: 0 }]);
  const outputs = await runStage(directory.file("out"), {
    tokens: await write(directory),
    inputs: { match_updates: [metrics] },
  });
  assertEquals(loadModel(outputs.policy!).parameters.data, loadModel(MODEL).parameters.data);
  assertEquals(readMetrics(outputs.metrics!), [{ step: 0, name: "updates", value: 0 }]);
  // Once in our own layout, not even a byte of the file changes.
  const again = await runStage(directory.file("again"), {
    tokens: await write(directory),
    inputs: { match_updates: [metrics], model: outputs.policy! },
  });
  assertEquals(digestDirectory(again.policy!).digest, digestDirectory(outputs.policy!).digest);
});

Deno.test("match_updates takes the policy_updates of the last iteration, with a schedule over as many", async () => {
  using directory = new TemporaryDirectory();
  const tokens = await write(directory), iterations: string[] = [];
  for (const [step, value] of [0, 2, 5].entries()) {
    iterations.push(directory.file(`iteration${step}.arrow`));
    await writeMetrics(iterations.at(-1)!, [{ step, name: "reward", value: 99 }, {
      step,
      name: "policy_updates",
      value,
    }]);
  }
  const matched = await runStage(directory.file("matched"), {
    tokens,
    inputs: { match_updates: iterations },
  });
  const planned = await runStage(directory.file("planned"), { tokens, params: { max_updates: 5 } });
  assertEquals(bytesOf(matched), bytesOf(planned));

  const silent = directory.file("silent.arrow");
  await writeMetrics(silent, [{ step: 0, name: "reward", value: 1 }]);
  await assertRejects(
    () => runStage(directory.file("silent"), { tokens, inputs: { match_updates: [silent] } }),
    DataError,
    "match_updates requires the metric policy_updates, got none in its files",
  );
});

Deno.test("interrupted after any update and resumed from its scratch, it writes the bytes of an uninterrupted run", async () => {
  using directory = new TemporaryDirectory();
  const tokens = await write(directory), params = { checkpoint_every: 2 };
  const undisturbed = bytesOf(await runStage(directory.file("whole"), { tokens, params }));
  for (const updates of [1, 4]) {
    const scratch = directory.file(`scratch${updates}`);
    Deno.mkdirSync(scratch);
    await assertRejects(
      () => runStage(directory.file(`stopped${updates}`), { tokens, params, scratch, stopAfter: updates }),
      TryAgainError,
      `Interrupted: ${updates} of 6 updates are saved. Run the same command to resume`,
    );
    const steps: number[] = [];
    const resumed = await runStage(directory.file(`resumed${updates}`), {
      tokens,
      params,
      scratch,
      progress: ({ step }) => steps.push(step!),
    });
    assertEquals(steps[0], updates + 1); // no update is repeated
    assertEquals(bytesOf(resumed), undisturbed);
    // Killed after all outputs were written but before the driver stored them: restarted with the same scratch.
    const again = await runStage(directory.file(`again${updates}`), { tokens, params, scratch });
    assertEquals(bytesOf(again), undisturbed, "checkpoints from before the stop must not be lost");
  }
});

Deno.test("a save in the scratch directory that is damaged counts as none", async () => {
  using directory = new TemporaryDirectory();
  const tokens = await write(directory);
  const undisturbed = bytesOf(await runStage(directory.file("whole"), { tokens }));
  for (const name of ["vectors.safetensors", "progress.json"]) {
    const scratch = directory.file(`scratch-${name}`), file = join(scratch, "training", name);
    Deno.mkdirSync(scratch);
    await assertRejects(
      () => runStage(directory.file(`stopped-${name}`), { tokens, scratch, stopAfter: 3 }),
      TryAgainError,
    );
    const bytes = Deno.readFileSync(file);
    // The last digit of a digest, or the exponent of the last number.
    bytes[bytes.length - (name === "progress.json" ? 4 : 1)]! ^= 1;
    Deno.writeFileSync(file, bytes);
    const steps: number[] = [];
    const resumed = await runStage(directory.file(`resumed-${name}`), {
      tokens,
      scratch,
      progress: ({ step }) => steps.push(step!),
    });
    assertEquals(steps[0], 1, `${name} is damaged, so the training begins again`);
    assertEquals(bytesOf(resumed), undisturbed);
  }
});

Deno.test("a stop at the last update lets it finish, and without scratch the message says that updates are discarded", async () => {
  using directory = new TemporaryDirectory();
  const tokens = await write(directory);
  const whole = await runStage(directory.file("whole"), { tokens });
  const late = await runStage(directory.file("late"), { tokens, stopAfter: 6 });
  assertEquals(bytesOf(late), bytesOf(whole));
  await assertRejects(
    () => runStage(directory.file("lost"), { tokens, stopAfter: 2 }),
    TryAgainError,
    "Interrupted: 2 of 6 updates are discarded, because --scratch is not set",
  );
});

Deno.test("killed in the middle, with a scratch that is some updates old, it writes the same bytes", async () => {
  using directory = new TemporaryDirectory();
  const tokens = await write(directory), params = { checkpoint_every: 1 };
  const undisturbed = bytesOf(await runStage(directory.file("whole"), { tokens, params }));
  const scratch = directory.file("scratch"), old = directory.file("old");
  Deno.mkdirSync(scratch);
  await assertRejects(
    () => runStage(directory.file("a"), { tokens, params, scratch, stopAfter: 2 }),
    TryAgainError,
  );
  copyTree(join(scratch, "training"), old);
  await assertRejects(
    () => runStage(directory.file("b"), { tokens, params, scratch, stopAfter: 3 }),
    TryAgainError,
  );
  Deno.removeSync(join(scratch, "training"), { recursive: true }); // what a kill after five updates leaves
  Deno.renameSync(old, join(scratch, "training"));
  Deno.mkdirSync(join(scratch, "checkpoints", ".000006.abcd.partial"));
  assertEquals(bytesOf(await runStage(directory.file("c"), { tokens, params, scratch })), undisturbed);
});

function copyTree(from: string, to: string): void {
  Deno.mkdirSync(to);
  for (const { name } of Deno.readDirSync(from)) Deno.copyFileSync(join(from, name), join(to, name));
}

Deno.test("checkpoints are models by number of updates; the last one is the policy", async () => {
  using directory = new TemporaryDirectory();
  const outputs = await runStage(directory.file("out"), {
    tokens: await write(directory),
    params: { checkpoint_every: 3 },
  });
  assertEquals([...Deno.readDirSync(outputs.checkpoints!)].map(({ name }) => name).sort(), [
    "000003",
    "000006",
  ]);
  const digest = (path: string) => digestDirectory(path).digest;
  assertEquals(digest(`${outputs.checkpoints}/000006`), digest(outputs.policy!));
  assertNotEquals(digest(`${outputs.checkpoints}/000003`), digest(outputs.policy!));
});

Deno.test("the seed decides the order of the rows and, with a subsample, which rows", async () => {
  using directory = new TemporaryDirectory();
  const tokens = await write(directory);
  const policies: string[] = [];
  for (const [seed, subsample] of [[1, 1], [2, 1], [1, 0.5], [2, 0.5], [1, 1]] as const) {
    const outputs = await runStage(directory.file(`${policies.length}`), {
      tokens,
      seed,
      params: { subsample },
    });
    policies.push(digestDirectory(outputs.policy!).digest);
    const updates = valuesOf(readMetrics(outputs.metrics!), "updates");
    assertEquals(updates, [subsample === 1 ? 6 : 4]); // 2 epochs of 24 or of 12 rows, 8 a batch
  }
  assertEquals(new Set(policies.slice(0, 4)).size, 4);
  assertEquals(policies[4], policies[0]);
});

Deno.test("a loss or gradient that is not finite ends training with the number of the update", async () => {
  using directory = new TemporaryDirectory();
  const tokens = await write(directory);
  const error = await assertRejects(
    () => runStage(directory.file("out"), { tokens, params: { lr: 1e30, epochs: 4 } }),
    DataError,
  );
  const finite =
    /^Loss and gradient norm must be finite: update \d+ has loss \S+ and gradient norm \S+ \(try a smaller lr\)$/;
  assert(finite.test(error.message), error.message);
  assertEquals(exists(directory.file("out/policy")), false);
});

Deno.test("rows that do not fit the model are an error before training, those of validation too", async () => {
  using directory = new TemporaryDirectory();
  const good = await write(directory),
    long = await write(directory, demonstrations(7, (i) => i < 6 ? 65 : 64));
  const fault = "a row must have at most 64 tokens (the model's context of 64) and ids below 96, got " +
    [0, 1, 2, 3, 4].map((i) => `"d${i}" with 65 tokens`).join("; ") + "; and 1 more";
  await assertRejects(
    () => runStage(directory.file("out"), { tokens: long }),
    DataError,
    `${long}: ${fault}`,
  );
  await assertRejects(
    () => runStage(directory.file("out"), { tokens: good, inputs: { validation: long } }),
    DataError,
    `${long}: ${fault}`,
  );
  const silent = await write(
    directory,
    demonstrations(3).map((row) => ({ ...row, lossMask: row.lossMask.map(() => 0) })),
  );
  await assertRejects(
    () => runStage(directory.file("out"), { tokens: good, inputs: { validation: silent } }),
    DataError,
    "validation must have supervised tokens, got none in 3 rows",
  );
  await assertRejects(
    () => runStage(directory.file("out"), { tokens: silent }),
    DataError,
    "tokens must have supervised tokens, got none in 3 rows",
  );
});

Deno.test("another tokenizer is an error, that of validation too", async () => {
  using directory = new TemporaryDirectory();
  const good = await write(directory), other = await write(directory, demonstrations(3), "ab".repeat(32));
  await assertRejects(
    () => runStage(directory.file("out"), { tokens: other }),
    DataError,
    `tokens and model must have the same tokenizer, got abababababab (tokens), ${
      DIGEST.slice(0, 12)
    } (model)`,
  );
  await assertRejects(
    () => runStage(directory.file("out"), { tokens: good, inputs: { validation: other } }),
    DataError,
    `validation and model must have the same tokenizer, got abababababab (validation), ${
      DIGEST.slice(0, 12)
    } (model)`,
  );
});

Deno.test("a critic cannot be fine-tuned", async () => {
  using directory = new TemporaryDirectory();
  const critic = "fixtures/goldens/srppo/critic";
  await assertRejects(
    async () =>
      runStage(directory.file("out"), { tokens: await write(directory), inputs: { model: critic } }),
    DataError,
    `${critic}: a language model is required, got a critic`,
  );
});

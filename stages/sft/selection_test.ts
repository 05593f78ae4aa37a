/** Tests validation during training: losses, the best checkpoint, early stopping, resuming. @module */
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { type MetricRow, readMetrics, writeMetrics } from "@/lib/data/contracts/metrics.ts";
import { digestDirectory, digestFile } from "@/lib/data/files/digest.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { Network } from "@/lib/model/train/network.ts";
import { checkParams } from "@/lib/pipeline/engine/zod_phrases.ts";
import { countingRows, SMALL_MODEL, writeSmallTokens } from "@/tests/support/counting_rows.ts";
import { runStage, type StageRun } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { stage } from "./main.ts";
import { supervisedSequences } from "./objective.ts";
import { validationLoss } from "./validation_loss.ts";

/** 12 updates on four rows: the validation loss falls, then rises. */
const OVERFITTING = { max_updates: 12, batch_size: 4, lr: 3e-2, schedule: "constant" };

async function files(directory: TemporaryDirectory) {
  const tokens = directory.file("tokens.arrow"), validation = directory.file("validation.arrow");
  await writeSmallTokens(tokens, countingRows(4));
  await writeSmallTokens(validation, countingRows(9, 40));
  return { tokens, validation, model: SMALL_MODEL };
}

async function train(
  directory: TemporaryDirectory,
  home: string,
  params: StageRun["params"],
  rest: Partial<StageRun> = {},
) {
  const inputs = await files(directory);
  return await runStage(stage, directory.file(home), {
    inputs,
    params: { ...OVERFITTING, ...params },
    ...rest,
  });
}

const bytesOf = ({ policy, metrics }: Record<string, string>) => [
  digestDirectory(policy!).digest,
  digestFile(metrics!),
];

function rowsOf({ metrics }: Record<string, string>, name: string): MetricRow[] {
  return readMetrics(metrics!).filter((row) => row.name === name);
}

/** Where EarlyStoppingCallback of transformers stops (its check_metric_value, with threshold 0, lower is better). */
function transformersStop(losses: readonly number[], patience: number): number {
  let best: number | undefined, counter = 0;
  for (const [i, value] of losses.entries()) {
    if (best === undefined || (value < best && Math.abs(value - best) > 0)) counter = 0;
    else counter += 1;
    if (counter >= patience) return i;
    if (best === undefined || value < best) best = value;
  }
  return losses.length - 1;
}

Deno.test("eval_every gives the validation loss of the weights of that moment, and the best ones are the policy", async () => {
  using directory = new TemporaryDirectory();
  const outputs = await train(directory, "out", { eval_every: 2, checkpoint_every: 2 });
  const losses = rowsOf(outputs, "validation_loss");
  assertEquals(losses.map(({ step }) => step), [2, 4, 6, 8, 10, 12]);
  const rows = supervisedSequences(countingRows(9, 40), "response", "test");
  for (const { step, value } of losses) {
    const { model, parameters } = loadModel(`${outputs.checkpoints}/${String(step).padStart(6, "0")}`);
    assertEquals(value, await validationLoss(new Network(model, parameters), rows, step));
  }
  const least = losses.reduce((best, row) => row.value < best.value ? row : best);
  assert(least.step < 12, "the case must overfit");
  assertEquals(rowsOf(outputs, "best_step").map(({ value }) => value), [least.step]);
  assertEquals(rowsOf(outputs, "best_validation_loss").map(({ value }) => value), [least.value]);
  assertEquals(rowsOf(outputs, "peak_lr").map(({ value }) => value), [3e-2]);
  const best = `${outputs.checkpoints}/${String(least.step).padStart(6, "0")}`;
  assertEquals(digestDirectory(outputs.policy!).digest, digestDirectory(best).digest);
});

Deno.test("validation losses change no update: without load_best_model_at_end the policy has the same bytes", async () => {
  using directory = new TemporaryDirectory();
  const plain = await train(directory, "plain", {});
  const watched = await train(directory, "watched", { eval_every: 1, load_best_model_at_end: false });
  assertEquals(digestDirectory(watched.policy!).digest, digestDirectory(plain.policy!).digest);
  assertEquals(rowsOf(watched, "loss"), rowsOf(plain, "loss"));
  assertEquals(rowsOf(watched, "validation_loss").at(-1), rowsOf(plain, "validation_loss")[0]);
  const best = await train(directory, "best", { eval_every: 1 });
  assertNotEquals(digestDirectory(best.policy!).digest, digestDirectory(plain.policy!).digest);
});

Deno.test("eval_every below 1 is a fraction of all updates, rounded up as in transformers, and the last update counts", async () => {
  using directory = new TemporaryDirectory();
  const outputs = await train(directory, "out", { eval_every: 0.4 }); // ⌈4.8⌉
  assertEquals(rowsOf(outputs, "validation_loss").map(({ step }) => step), [5, 10, 12]);
});

Deno.test("early_stopping_patience stops where transformers' EarlyStoppingCallback does", async () => {
  using directory = new TemporaryDirectory();
  const whole = rowsOf(await train(directory, "whole", { eval_every: 1 }), "validation_loss");
  for (const patience of [1, 3]) {
    const outputs = await train(directory, `stopped${patience}`, {
      eval_every: 1,
      early_stopping_patience: patience,
    });
    const count = transformersStop(whole.map(({ value }) => value), patience) + 1;
    assert(count < 12, "the case must stop");
    assertEquals(rowsOf(outputs, "validation_loss"), whole.slice(0, count));
    assertEquals(rowsOf(outputs, "updates"), [{ step: count, name: "updates", value: count }]);
    const least = whole.slice(0, count).reduce((best, row) => row.value < best.value ? row : best);
    assertEquals(rowsOf(outputs, "best_step")[0]!.value, least.step);
  }
});

Deno.test("interrupted anywhere and resumed, validation losses, best checkpoint and patience have the same bytes", async () => {
  using directory = new TemporaryDirectory();
  const params = { eval_every: 2, early_stopping_patience: 4 };
  const undisturbed = bytesOf(await train(directory, "whole", params));
  for (const stopAfter of [1, 2, 3, 5, 8, 11]) {
    const scratch = directory.file(`scratch${stopAfter}`);
    Deno.mkdirSync(scratch);
    await assertRejects(
      () => train(directory, `stopped${stopAfter}`, params, { scratch, stopAfter }),
      TryAgainError,
    );
    const resumed = await train(directory, `resumed${stopAfter}`, params, { scratch });
    assertEquals(bytesOf(resumed), undisturbed, `stopped after ${stopAfter} reports`);
    const again = await train(directory, `again${stopAfter}`, params, { scratch });
    assertEquals(bytesOf(again), undisturbed, "killed before the driver stored the outputs");
  }
});

Deno.test("a best checkpoint in the scratch directory that is damaged or missing makes the training begin again", async () => {
  using directory = new TemporaryDirectory();
  const params = { eval_every: 2 };
  const undisturbed = bytesOf(await train(directory, "whole", params));
  for (const fault of ["damaged", "missing"] as const) {
    const scratch = directory.file(fault);
    Deno.mkdirSync(scratch);
    await assertRejects(
      () => train(directory, `stopped-${fault}`, params, { scratch, stopAfter: 9 }),
      TryAgainError,
    );
    const [{ name }, ...more] = [...Deno.readDirSync(join(scratch, "best"))] as [Deno.DirEntry];
    assertEquals(more, [], "only the best checkpoint is kept");
    const file = join(scratch, "best", name, "weights.safetensors");
    if (fault === "missing") Deno.removeSync(file);
    else {
      const bytes = Deno.readFileSync(file);
      bytes[bytes.length - 1]! ^= 1;
      Deno.writeFileSync(file, bytes);
    }
    const steps: number[] = [];
    const resumed = await train(directory, `resumed-${fault}`, params, {
      scratch,
      progress: ({ step }) => steps.push(step!),
    });
    assertEquals(steps[0], 1, fault);
    assertEquals(bytesOf(resumed), undisturbed);
  }
});

Deno.test("without a scratch directory the best checkpoint leaves nothing behind", async () => {
  using directory = new TemporaryDirectory();
  await train(directory, "out", { eval_every: 1 });
  assertEquals([...Deno.readDirSync(directory.file("out"))].map(({ name }) => name).sort(), [
    "metrics",
    "policy",
  ]);
});

Deno.test("of an adapter, the policy is the adapter with the best validation loss", async () => {
  using directory = new TemporaryDirectory();
  const outputs = await train(directory, "out", { eval_every: 1, lora_rank: 4, lora_alpha: 8, lr: 5e-2 });
  const { model, parameters } = loadModel(outputs.policy!);
  assert(model.adapter !== undefined);
  const rows = supervisedSequences(countingRows(9, 40), "response", "test");
  const least = rowsOf(outputs, "validation_loss").reduce((best, row) => row.value < best.value ? row : best);
  assertEquals(await validationLoss(new Network(model, parameters), rows, 0), least.value);
  assertEquals(rowsOf(outputs, "best_step")[0]!.value, least.step);
});

Deno.test("a run of no updates to match writes the model unchanged, with its validation loss", async () => {
  using directory = new TemporaryDirectory();
  const metrics = directory.file("iteration.arrow");
  await writeMetrics(metrics, [{ step: 0, name: "policy_updates", value: 0 }]);
  const outputs = await runStage(stage, directory.file("out"), {
    inputs: { ...await files(directory), match_updates: [metrics] },
    params: { eval_every: 1 },
  });
  assertEquals(loadModel(outputs.policy!).parameters.data, loadModel(SMALL_MODEL).parameters.data);
  assertEquals(rowsOf(outputs, "validation_loss").map(({ step }) => step), [0]);
});

Deno.test("what eval_every requires is said before anything runs", async () => {
  using directory = new TemporaryDirectory();
  const { validation: _, ...inputs } = await files(directory);
  await assertRejects(
    () => runStage(stage, directory.file("out"), { inputs, params: { eval_every: 0.1 } }),
    UsageError,
    "Missing inputs of sft: eval_every=0.1 requires validation",
  );
  const problems = (params: Record<string, unknown>) => {
    const checked = checkParams(stage, params);
    return "problems" in checked ? checked.problems.map(({ message }) => message) : [];
  };
  assertEquals(problems({ objective: "dpo", eval_every: 5 }), [
    'parameter "eval_every" must be 0 with objective=dpo: validation losses are those of nll',
  ]);
  assertEquals(problems({ early_stopping_patience: 2 }), [
    'parameter "early_stopping_patience" must be 0 with eval_every=0: nothing is evaluated',
  ]);
  assertEquals(problems({ eval_every: 1.5 }), [
    'parameter "eval_every" must be a whole number or below 1, got 1.5',
  ]);
  assertEquals(problems({ lr: "Auto" }), ['parameter "lr" must be a number or "auto", got "Auto"']);
  assertEquals(problems({ lr: 0 }), ['parameter "lr" must be > 0, got 0']);
});

/** Tests learning rates that are chosen by trials or follow another training. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type MetricRow, readMetrics, writeMetrics } from "@/lib/data/contracts/metrics.ts";
import { digestDirectory, digestFile } from "@/lib/data/files/digest.ts";
import { DataError, TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { countingRows, SMALL_MODEL, writeSmallTokens } from "@/tests/support/counting_rows.ts";
import { runStage, type StageRun } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { stage } from "./main.ts";

const VALUES = [1e-4, 1e-2, 1e-3];
const AUTO = { lr: "auto", lr_values: VALUES, lr_trial_updates: 3, max_updates: 6, batch_size: 8 };

async function files(directory: TemporaryDirectory, held = 9) {
  const tokens = directory.file("tokens.arrow"), validation = directory.file(`validation${held}.arrow`);
  await writeSmallTokens(tokens, countingRows(24));
  await writeSmallTokens(validation, countingRows(held, 40));
  return { tokens, validation, model: SMALL_MODEL };
}

async function train(
  directory: TemporaryDirectory,
  home: string,
  params: NonNullable<StageRun["params"]>,
  { inputs = {}, ...rest }: Partial<StageRun> = {},
) {
  return await runStage(stage, directory.file(home), {
    inputs: { ...await files(directory), ...inputs },
    params,
    ...rest,
  });
}

function valuesOf({ metrics }: Record<string, string>, name: string): number[] {
  return readMetrics(metrics!).filter((row) => row.name === name).map(({ value }) => value);
}

const bytesOf = ({ policy, metrics }: Record<string, string>) => [
  digestDirectory(policy!).digest,
  digestFile(metrics!),
];

Deno.test("lr=auto takes the value with the lowest validation loss of short trainings, and trains as if it had been given", async () => {
  using directory = new TemporaryDirectory();
  const messages: string[] = [];
  const outputs = await train(directory, "auto", AUTO, {
    progress: ({ message }) => message !== undefined && messages.push(message),
  });
  const losses: number[] = [];
  for (const lr of VALUES) {
    const trial = await train(directory, `lr${lr}`, { ...AUTO, lr, max_updates: 3 });
    losses.push(valuesOf(trial, "validation_loss")[0]!);
  }
  assertEquals(valuesOf(outputs, "trial_lr"), VALUES);
  assertEquals(valuesOf(outputs, "trial_loss"), losses, "trials are trainings of their own");
  assertEquals(valuesOf(outputs, "trial_updates"), [9]);
  const best = VALUES[losses.indexOf(Math.min(...losses))]!;
  assertEquals(valuesOf(outputs, "peak_lr"), [best]);
  const given = await train(directory, "given", { ...AUTO, lr: best });
  assertEquals(digestDirectory(outputs.policy!).digest, digestDirectory(given.policy!).digest);
  assertEquals(messages[0], `trial of lr 0.0001: validation loss ${losses[0]!.toFixed(4)} after 3 updates`);
});

Deno.test("trials are no longer than the training", async () => {
  using directory = new TemporaryDirectory();
  const outputs = await train(directory, "out", { ...AUTO, lr_trial_updates: 30, max_updates: 2 });
  assertEquals(valuesOf(outputs, "trial_updates"), [6]);
});

Deno.test("trials that are interrupted anywhere and resumed give the same bytes, and finished ones do not run again", async () => {
  using directory = new TemporaryDirectory();
  const params = { ...AUTO, eval_every: 2 };
  const undisturbed = bytesOf(await train(directory, "whole", params));
  for (const stopAfter of [1, 5, 6, 9, 13, 16]) {
    const scratch = directory.file(`scratch${stopAfter}`);
    Deno.mkdirSync(scratch);
    await assertRejects(
      () => train(directory, `stopped${stopAfter}`, params, { scratch, stopAfter }),
      TryAgainError,
    );
    let updates = 0;
    const resumed = await train(directory, `resumed${stopAfter}`, params, {
      scratch,
      progress: ({ fields }) => updates += fields?.loss === undefined ? 0 : 1,
    });
    assertEquals(bytesOf(resumed), undisturbed, `stopped after ${stopAfter} reports`);
    assert(updates < 15, `${updates} of 15 updates ran again after ${stopAfter}`);
  }
});

Deno.test("a value that diverges is not chosen; if all do, that is an error with the values", async () => {
  using directory = new TemporaryDirectory();
  const outputs = await train(directory, "out", { ...AUTO, lr_values: [1e30, 1e-3] });
  assertEquals(valuesOf(outputs, "peak_lr"), [1e-3]);
  assertEquals([valuesOf(outputs, "trial_lr").length, valuesOf(outputs, "trial_loss").length], [2, 1]);
  await assertRejects(
    () => train(directory, "none", { ...AUTO, lr_values: [1e30, 1e32] }),
    DataError,
    "lr=auto requires a trial with a finite loss, got none for 1e+30, 1e+32 (lr_values)",
  );
});

Deno.test("a choice at the edge of the values, or by few demonstrations, is a warning", async () => {
  using directory = new TemporaryDirectory();
  const warnings: string[] = [];
  const few = (await files(directory, 1)).validation;
  await train(directory, "out", { ...AUTO, lr_values: [1e-5, 1e-2] }, {
    inputs: { validation: few },
    progress: ({ warning }) => warning !== undefined && warnings.push(warning),
  });
  assertEquals(warnings, [
    "lr=auto chose the largest of its values, 0.01: a value beyond it may be better (lr_values)",
    "lr=auto chose by the loss of 1 validation demonstration: neighbouring values may be as good",
  ]);
});

Deno.test("with lr_of, lr=auto is lr_ratio times the peak learning rate of that training", async () => {
  using directory = new TemporaryDirectory();
  const write = async (name: string, rows: readonly MetricRow[]) => {
    await writeMetrics(directory.file(name), rows);
    return directory.file(name);
  };
  const lr = [1e-3, 4e-3, 2e-3].map((value, step) => ({ step, name: "lr", value }));
  const plain = await write("plain", lr);
  const chosen = await write("chosen", [...lr, { step: 3, name: "peak_lr", value: 6e-3 }]);
  const given = await train(directory, "given", { ...AUTO, lr: 2e-3 });
  for (const [name, lr_of, lr_ratio] of [["half", plain, 0.5], ["third", chosen, 1 / 3]] as const) {
    const outputs = await train(directory, name, { ...AUTO, lr_ratio }, { inputs: { lr_of } });
    assertEquals(digestDirectory(outputs.policy!).digest, digestDirectory(given.policy!).digest, name);
    assertEquals(valuesOf(outputs, "trial_lr"), [], "nothing is tried");
  }
  const silent = await write("silent", [{ step: 0, name: "updates", value: 0 }]);
  await assertRejects(
    () => train(directory, "silent-out", AUTO, { inputs: { lr_of: silent } }),
    DataError,
    `${silent}: lr_of requires the metric lr of at least one update, got none`,
  );
});

Deno.test("lr=auto without validation and lr_of is an error before anything runs", async () => {
  using directory = new TemporaryDirectory();
  const { validation: _, ...inputs } = await files(directory);
  await assertRejects(
    () => runStage(stage, directory.file("out"), { inputs, params: AUTO }),
    UsageError,
    "Missing inputs of sft: lr=auto requires validation",
  );
});

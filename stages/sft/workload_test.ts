/** Tests the work that a training states. @module */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { readMetrics } from "@/lib/data/contracts/metrics.ts";
import { countingRows, SMALL_MODEL, writeSmallTokens } from "@/tests/support/counting_rows.ts";
import { runStage } from "@/tests/support/run_stage.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { stage } from "./main.ts";
import { params } from "./params.ts";
import { sftWorkload } from "./workload.ts";

Deno.test("the stated work covers the tokens of trials and of a training that stops early", async () => {
  using directory = new TemporaryDirectory();
  const tokens = directory.file("tokens.arrow"), validation = directory.file("validation.arrow");
  await writeSmallTokens(tokens, countingRows(4));
  await writeSmallTokens(validation, countingRows(9, 40));
  const given = {
    lr: "auto",
    lr_values: [1e-3, 3e-2],
    lr_trial_updates: 3,
    max_updates: 40,
    batch_size: 4,
    eval_every: 1,
    early_stopping_patience: 2,
  };
  let reported = 0;
  const outputs = await runStage(stage, directory.file("out"), {
    inputs: { tokens, validation, model: SMALL_MODEL },
    params: given,
    progress: ({ fields }) => reported = fields?.tokens ?? reported,
  });
  const updates = readMetrics(outputs.metrics!).find(({ name }) => name === "updates")!.value;
  const work = sftWorkload({
    params: params.parse(given),
    inputs: { tokens, validation },
    counts: { tokens: 1, validation: 1 },
    iterations: 1,
    expected: {},
  })!;
  const perUpdate = countingRows(4).reduce((sum, { inputIds }) => sum + inputIds.length, 0);
  assertEquals(reported, (2 * 3 + updates) * perUpdate, "trials count");
  assertAlmostEquals(work.trained![0], (2 * 3 + 3) * perUpdate, 1e-9);
  assertAlmostEquals(work.trained![1], (2 * 3 + 40) * perUpdate, 1e-9);
  const held = countingRows(9, 40).reduce((sum, { inputIds }) => sum + inputIds.length, 0);
  assertEquals(work.scored, [(2 + 3) * held, (2 + 40) * held]);
});

Deno.test("the work of no updates is none, and that of updates which are not known is not stated", async () => {
  using directory = new TemporaryDirectory();
  const tokens = directory.file("tokens.arrow");
  await writeSmallTokens(tokens, countingRows(4));
  const context = {
    params: params.parse({}),
    inputs: { tokens },
    counts: { match_updates: 3 },
    iterations: 1,
  };
  const none = sftWorkload({ ...context, expected: { policyUpdates: 0 } })!;
  assertEquals([none.trained, none.scored], [[0, 0], [0, 0]]);
  assertEquals(sftWorkload({ ...context, expected: {} }), undefined);
  assertEquals(sftWorkload({ ...context, inputs: {}, expected: { policyUpdates: 4 } }), undefined);
});

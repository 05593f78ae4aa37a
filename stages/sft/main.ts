/**
 * The program `sft`: fine-tunes a model on demonstrations or on preference pairs.
 * @module
 */
import { readMetrics, writeMetrics } from "@/lib/data/contracts/metrics.ts";
import { copyTokenizerFiles } from "@/lib/data/contracts/model_directory.ts";
import { defineStage } from "@/lib/data/contracts/stage.ts";
import { publishDirectory } from "@/lib/data/files/publish.ts";
import { writeModel } from "@/lib/model/models/checkpoint.ts";
import { configureCompute } from "@/lib/compute/devices/configure.ts";
import { Network } from "@/lib/model/train/network.ts";
import { CheckpointList } from "./checkpoint_list.ts";
import { supervisedSequences } from "./objective.ts";
import { params } from "./params.ts";
import { type Context, inputs, outputs } from "./ports.ts";
import { checkObjective, readObjective, readRows } from "./read_objective.ts";
import { startingModel } from "./starting_model.ts";
import { matchedUpdates, plannedUpdates, train, validationLoss } from "./train.ts";

/** The stage; see its README. */
export const stage = defineStage({
  id: "sft",
  summary: "Fine-tunes a model on demonstrations or on preference pairs.",
  params,
  inputs,
  outputs,
  random: true,
  role: "train",
  omits: ({ checkpoint_every }) => checkpoint_every === 0 ? { checkpoints: "checkpoint_every=0" } : {},
  run,
});

async function run(context: Context): Promise<void> {
  const { params, inputs, outputs, seed, scratch, signal, progress } = context;
  configureCompute(context, (warning) => context.progress({ warning }));
  checkObjective(inputs, params);
  const loaded = startingModel(inputs.model, params, seed);
  const reading = { inputs, params, model: loaded.model, seed };
  const objective = readObjective(reading);
  // Read before training: an invalid row is found now, not hours later.
  const validation = inputs.validation === undefined
    ? undefined
    : supervisedSequences(readRows("validation", reading), params.loss, "validation");
  const total = inputs.match_updates
    ? matchedUpdates(inputs.match_updates.map(readMetrics))
    : plannedUpdates(objective.rows, params);

  const network = new Network(loaded.model, loaded.parameters, { trainable: true });
  const checkpoints = new CheckpointList(scratch ?? `${outputs.checkpoints}.partial`);
  const write = (to: string) => {
    network.pull();
    writeModel(to, loaded);
    copyTokenizerFiles(inputs.model, to);
  };
  const startedAt = performance.now();
  const metrics = await train(network, objective, {
    params,
    seed,
    total,
    scratch,
    signal,
    onUpdate(step, metrics, tokens) {
      const tokens_per_second = tokens * 1000 / (performance.now() - startedAt);
      progress({ step, total, fields: { ...metrics, tokens, tokens_per_second } });
    },
    checkpoint: (update) => checkpoints.add(update, write),
  });
  metrics.push({ step: total, name: "updates", value: total });
  if (validation) {
    metrics.push({ step: total, name: "validation_loss", value: validationLoss(network, validation) });
  }
  await publishDirectory(outputs.policy, write);
  network.weights[Symbol.dispose]();
  if (params.checkpoint_every > 0) await checkpoints.publish(outputs.checkpoints, scratch === undefined);
  await writeMetrics(outputs.metrics, metrics);
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/engine/stage_program.ts");
  await runStageProgram(stage);
}

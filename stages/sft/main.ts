/**
 * The program `sft`: fine-tunes a model on demonstrations or on preference pairs.
 * @module
 */
import { readMetrics, writeMetrics } from "@/lib/data/contracts/metrics.ts";
import { copyTokenizerFiles } from "@/lib/data/contracts/model_directory.ts";
import { defineStage } from "@/lib/data/contracts/stage.ts";
import { readTokens, writeTokens } from "@/lib/data/contracts/tokens.ts";
import { publishDirectory } from "@/lib/data/files/publish.ts";
import { writeModel } from "@/lib/model/models/checkpoint.ts";
import { configureRuntime } from "@/lib/compute/ort/runtime.ts";
import { Network } from "@/lib/model/train/network.ts";
import { CheckpointList } from "./checkpoint_list.ts";
import { supervisedSequences } from "./objective.ts";
import { type Params, params } from "./params.ts";
import { type Context, inputs, outputs } from "./ports.ts";
import { checkObjective, readObjective, readRows } from "./read_objective.ts";
import { startingModel } from "./starting_model.ts";
import { leftOut, matchedUpdates, plannedUpdates, train, validationLoss } from "./train.ts";

/** The stage; see its README. */
export const stage = defineStage({
  id: "sft",
  summary: "Fine-tunes a model on demonstrations or on preference pairs.",
  params,
  inputs,
  outputs,
  random: true,
  role: "train",
  omits: (params) => ({
    ...(params.checkpoint_every === 0 ? { checkpoints: "checkpoint_every=0" } : {}),
    ...whyNoLeftOut(params),
  }),
  run,
});

async function run(context: Context): Promise<void> {
  const { params, inputs, outputs, seed, scratch, signal, progress } = context;
  configureRuntime({ threads: context.threads });
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
  if (params.checkpoint_every > 0) await checkpoints.publish(outputs.checkpoints, scratch === undefined);
  if (Object.keys(whyNoLeftOut(params)).length === 0) {
    const { rows, tokenizerDigest } = readTokens(inputs.tokens!);
    const others = leftOut(rows, seed, params.subsample);
    if (others.length > 0) await writeTokens(outputs.left_out, { rows: others, tokenizerDigest });
  }
  await writeMetrics(outputs.metrics, metrics);
}

/** Returns the setting with which no demonstrations are left out, as for `omits`. */
function whyNoLeftOut({ subsample, objective, pack }: Params): Readonly<Record<string, string>> {
  if (subsample === 1) return { left_out: "subsample=1" };
  if (objective !== "nll") return { left_out: `objective=${objective}` };
  return pack ? { left_out: "pack=true" } : {};
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/engine/stage_program.ts");
  await runStageProgram(stage);
}

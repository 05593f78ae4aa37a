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
import { configureCompute } from "@/lib/compute/devices/configure.ts";
import { Network } from "@/lib/model/train/network.ts";
import { CheckpointList } from "./checkpoint_list.ts";
import { supervisedSequences } from "./objective.ts";
import { type Params, params } from "./params.ts";
import { type Context, inputs, outputs } from "./ports.ts";
import { checkObjective, readObjective, readRows } from "./read_objective.ts";
import { startingModel } from "./starting_model.ts";
import { append } from "@/lib/compute/tensor/large_lists.ts";
import { learningRateOf } from "./learning_rate.ts";
import { ModelSelection } from "./selection.ts";
import { leftOut, matchedUpdates, plannedUpdates, train } from "./train.ts";
import { TrainingProgress } from "./training_progress.ts";
import { validationLoss } from "./validation_loss.ts";
import { sftWorkload } from "./workload.ts";

/** The stage; see its README. */
export const stage = defineStage({
  id: "sft",
  summary: "Fine-tunes a model on demonstrations or on preference pairs.",
  params,
  inputs,
  outputs,
  random: true,
  role: "train",
  needs: ({ lr, eval_every }, given) => ({
    ...(lr === "auto" && !given.includes("lr_of") ? { validation: "lr=auto" } : {}),
    ...(eval_every > 0 ? { validation: `eval_every=${eval_every}` } : {}),
  }),
  omits: (params) => ({
    ...(params.checkpoint_every === 0 ? { checkpoints: "checkpoint_every=0" } : {}),
    ...whyNoLeftOut(params),
  }),
  workload: sftWorkload,
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
  const shown = new TrainingProgress(progress);
  const common = { params, seed, total, scratch, signal };
  const { lr, rows: trials } = await learningRateOf(context, {
    network,
    objective,
    validation,
    ...common,
    shown,
  });
  const checkpoints = new CheckpointList(scratch ?? `${outputs.checkpoints}.partial`);
  const write = (to: string) => {
    network.pull();
    writeModel(to, loaded);
    copyTokenizerFiles(inputs.model, to);
  };
  const selection = params.eval_every > 0 && validation && total > 0
    ? new ModelSelection(validation, params, scratch ?? `${outputs.policy}.partial`)
    : undefined;
  const metrics = await train(network, objective, {
    ...common,
    lr,
    onUpdate: (step, metrics, tokens) => shown.update({ step, total, metrics, tokens }),
    checkpoint: (update) => checkpoints.add(update, write),
    selection,
    onValidation: (step, validation_loss) => progress({ step, total, fields: { validation_loss } }),
  });
  const made = metrics.filter(({ name }) => name === "loss").length;
  metrics.push({ step: made, name: "updates", value: made });
  if (selection) {
    selection.useBest(network);
    append(metrics, selection.metrics(made));
  } else if (validation) {
    const value = await validationLoss(network, validation, made);
    metrics.push({ step: made, name: "validation_loss", value });
  }
  if (selection || params.lr === "auto") metrics.push({ step: made, name: "peak_lr", value: lr });
  append(metrics, trials);
  await publishDirectory(outputs.policy, write);
  network[Symbol.dispose]();
  if (params.checkpoint_every > 0) await checkpoints.publish(outputs.checkpoints, scratch === undefined);
  if (Object.keys(whyNoLeftOut(params)).length === 0) {
    const { rows, tokenizerDigest } = readTokens(inputs.tokens!);
    const others = leftOut(rows, seed, params.subsample);
    if (others.length > 0) await writeTokens(outputs.left_out, { rows: others, tokenizerDigest });
  }
  await writeMetrics(outputs.metrics, metrics);
  if (scratch === undefined) selection?.close();
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

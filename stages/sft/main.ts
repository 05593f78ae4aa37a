/**
 * The program `sft`: demonstrations, or pairs of answers, and a model become a fine-tuned model.
 * @module
 */
import { join } from "node:path";
import { type MetricRow, readMetrics, writeMetrics } from "@/lib/contracts/metrics.ts";
import { copyTokenizerFiles } from "@/lib/contracts/model_directory.ts";
import { defineStage, type StageContext } from "@/lib/contracts/stage.ts";
import { writeTrainerState } from "@/lib/contracts/trainer_state.ts";
import { publishDirectory } from "@/lib/files/publish.ts";
import { type LoadedModel, writeModel } from "@/lib/models/checkpoint.ts";
import { configureRuntime } from "@/lib/ort/runtime.ts";
import { DataError, TryAgainError } from "@/lib/tensor/errors.ts";
import { AdamW } from "@/lib/train/adamw.ts";
import { yieldToEventLoop } from "@/lib/train/event_loop.ts";
import { Network } from "@/lib/train/network.ts";
import { writeVectors } from "@/lib/train/optimizer_file.ts";
import { CheckpointList } from "./checkpoint_list.ts";
import { type Params, params } from "./params.ts";
import { restoreProgress, saveProgress } from "./progress_file.ts";
import { checkObjective, readObjective, readRows } from "./read_objective.ts";
import { startingModel } from "./starting_model.ts";
import {
  matchedUpdates,
  plannedUpdates,
  supervisedSequences,
  trainingUpdate,
  validationLoss,
} from "./train.ts";

/** Milliseconds between states that are kept for a run that is killed. */
const KEEP_EVERY_MS = 60_000;

/** The stage; see its README. */
export const stage = defineStage({
  id: "sft",
  summary: "Fine-tunes a model on demonstrations, or on pairs of a better and a worse answer.",
  params,
  inputs: {
    tokens: {
      contract: "tokens@1",
      description: "demonstrations; objective nll needs them, the others take none",
      optional: true,
    },
    pairs: {
      contract: "pairs@1",
      description: "pairs of answers; objectives dpo and spin need them",
      optional: true,
    },
    reference: {
      contract: "model",
      description: "what dpo and spin hold the model to; default: the model itself, as training begins",
      optional: true,
    },
    model: { contract: "model", description: "where training starts; an adapter is trained on as one" },
    validation: {
      contract: "tokens@1",
      description: "demonstrations to measure the loss on",
      optional: true,
    },
    match_updates: {
      contract: "metrics@1",
      description:
        "metrics of a run's rounds: make as many updates as its policy got; none leave the model unchanged",
      many: "list",
      optional: true,
    },
  },
  outputs: {
    policy: {
      contract: "model",
      description: "the fine-tuned model: plain, or an adapter with its base where lora_rank asks for one",
    },
    checkpoints: {
      contract: "models",
      description: "models on the way, by number of updates, where checkpoint_every asks for them",
      optional: true,
    },
    state: { contract: "state", description: "the optimizer's moments" },
    metrics: {
      contract: "metrics@1",
      description:
        "loss, grad_norm, lr per update, and of pairs accuracy, margin and more; updates, validation_loss",
    },
  },
  random: true,
  omits: ({ checkpoint_every }) => checkpoint_every === 0 ? { checkpoints: "checkpoint_every=0" } : {},
  run,
});

async function run(context: StageContext<Params>): Promise<void> {
  configureRuntime({ threads: context.threads });
  const { params, inputs, outputs, seed, scratch, signal, progress } = context;
  checkObjective(inputs, params);
  const source = inputs.model as string, loaded = startingModel(source, params, seed);
  const reading = { inputs, params, model: loaded.model, seed };
  const objective = readObjective(reading);
  // Held-back rows are read before training: hours later is too late to find that they do not fit.
  const held = inputs.validation === undefined
    ? undefined
    : supervisedSequences(readRows("validation", reading), params.loss, "measure a loss");
  const matched = inputs.match_updates as readonly string[] | undefined;
  const total = matched ? matchedUpdates(matched.map(readMetrics)) : plannedUpdates(objective.rows, params);

  const network = new Network(loaded.model, loaded.parameters, { trainable: true });
  const { beta1, beta2, eps: epsilon, weight_decay: weightDecay, max_grad_norm: maxGradNorm } = params;
  const optimizer = new AdamW(network.parameters, network.gradients!, {
    beta1,
    beta2,
    epsilon,
    weightDecay,
    maxGradNorm,
  });
  const kept = scratch ? restoreProgress(scratch, network.parameters, optimizer) : undefined;
  const metrics: MetricRow[] = [...kept?.metrics ?? []];
  const checkpoints = new CheckpointList(scratch ?? `${outputs.checkpoints}.partial`);
  let savedAt = performance.now(), tokens = 0;
  const startedAt = savedAt;
  for (let index = kept?.updates ?? 0; index < total; index++) {
    const figures = trainingUpdate(network, optimizer, objective, { index, total, seed, params });
    if (!Number.isFinite(figures.loss) || !Number.isFinite(figures.gradNorm)) {
      throw new DataError(
        `Cannot go on training as loss and gradient must be finite: update ${
          index + 1
        } has loss ${figures.loss} and ` +
          `gradient norm ${figures.gradNorm}; a smaller lr may help`,
      );
    }
    tokens += figures.tokens;
    const { loss, gradNorm: grad_norm, lr } = figures;
    for (const [name, value] of Object.entries({ loss, grad_norm, lr, ...figures.more })) {
      metrics.push({ step: index, name, value });
    }
    const seconds = (performance.now() - startedAt) / 1000;
    progress({
      step: index + 1,
      total,
      fields: { loss, grad_norm, lr, ...figures.more, tokens, tokens_per_second: tokens / seconds },
    });
    if (params.checkpoint_every > 0 && (index + 1) % params.checkpoint_every === 0) {
      await checkpoints.add(index + 1, (to) => writeDirectory(to, source, loaded));
    }
    await yieldToEventLoop();
    const last = index + 1 === total;
    if (scratch && !last && (signal.aborted || performance.now() - savedAt > KEEP_EVERY_MS)) {
      await saveProgress(scratch, network.parameters, optimizer, metrics);
      savedAt = performance.now();
    }
    if (signal.aborted && !last) {
      const fate = scratch ? "they are kept" : "nothing keeps them";
      throw new TryAgainError(
        `Cannot finish sft as a stop was asked for: ${index + 1} of ${total} updates are made, ${fate}`,
      );
    }
  }

  metrics.push({ step: total, name: "updates", value: total });
  if (held) metrics.push({ step: total, name: "validation_loss", value: validationLoss(network, held) });
  await publishDirectory(outputs.policy!, (to) => writeDirectory(to, source, loaded));
  if (params.checkpoint_every > 0) await checkpoints.publish(outputs.checkpoints!, scratch === undefined);
  await publishDirectory(outputs.state!, (to) => {
    writeVectors(join(to, "optimizer.safetensors"), {
      "policy.exp_avg": optimizer.firstMoment,
      "policy.exp_avg_sq": optimizer.secondMoment,
    });
    writeTrainerState(to, {
      kind: "sft",
      policyUpdates: optimizer.step,
      criticUpdates: 0,
      iteration: 0,
      rewardCentre: null,
      rewardScale: null,
      beta: 0,
    });
  });
  await writeMetrics(outputs.metrics!, metrics);
}

function writeDirectory(to: string, source: string, loaded: LoadedModel): void {
  writeModel(to, loaded);
  copyTokenizerFiles(source, to);
}

if (import.meta.main) {
  const { runStageProgram } = await import("@/lib/pipeline/stage_program.ts");
  await runStageProgram(stage);
}

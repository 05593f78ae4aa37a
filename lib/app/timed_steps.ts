/**
 * Times a few steps of training, scoring and sampling with a model's weights, for the estimate of a run's time. The weights in memory
 * are not those of the run, and nothing is written.
 * @module
 */
import { readPrompts } from "@/lib/data/contracts/prompts.ts";
import { readTokens, supervisedTokens } from "@/lib/data/contracts/tokens.ts";
import type { Range } from "@/lib/data/contracts/workload.ts";
import { configureCompute } from "@/lib/compute/devices/configure.ts";
import { Generator } from "@/lib/model/generate/generator.ts";
import { type LoadedModel, loadLanguageModel } from "@/lib/model/models/checkpoint.ts";
import { initialModel, isWithoutWeights } from "@/lib/model/models/initial_model.ts";
import { AdamW } from "@/lib/model/train/adamw.ts";
import { microBatches, type Sequence } from "@/lib/model/train/batching.ts";
import { runYielding, type Work } from "@/lib/model/train/event_loop.ts";
import { Network } from "@/lib/model/train/network.ts";
import { SUPERVISED } from "@/lib/model/train/programs.ts";
import { SCORING_BUDGET, tokenLogprobsWork } from "@/lib/model/train/token_logprobs.ts";
import type { StepTimes, TimeRequest } from "@/lib/pipeline/engine/time_estimate.ts";
import { largest, smallest } from "@/lib/compute/tensor/large_lists.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";

/** Steps of each kind that count; one before them compiles the graphs and does not. */
const STEPS = 3;
/** Milliseconds after which no further step of a kind begins. */
const PATIENCE_MS = 2000;
/** Rows of a step of training or scoring, and prompts of a step of sampling: the stages' defaults. */
const ROWS = 32, PROMPTS = 128;

/**
 * Returns the seconds per token, from the fastest to the slowest step.
 * @throws {DataError} if no row fits the model
 */
export async function timeSteps(request: TimeRequest): Promise<StepTimes> {
  configureCompute(request, () => {}); // the run printed the notices of the device already
  const loaded = isWithoutWeights(request.model)
    ? initialModel(request.model, 0)
    : loadLanguageModel(request.model);
  const rows = sequencesOf(request, loaded);
  const network = new Network(loaded.model, loaded.parameters, { trainable: true });
  const optimizer = new AdamW(network, OPTIMIZER);
  const trained = await timesOf(() => trainingStep(network, optimizer, rows), request.signal);
  const scored = await timesOf(() => scoringStep(network, rows), request.signal);
  const sampled = await samplingTimes(loaded, request);
  network[Symbol.dispose]();
  optimizer[Symbol.dispose]();
  return { trained, scored, sampled };
}

/** Returns demonstrations that fit the model, or prompts where there are none. */
function sequencesOf({ model, tokens, prompts }: TimeRequest, loaded: LoadedModel): Sequence[] {
  const { contextLength, vocabSize } = loaded.model;
  const all: Sequence[] = tokens !== undefined
    ? readTokens(tokens).rows.map((row) => ({ ids: row.inputIds, targets: supervisedTokens(row) }))
    : prompts === undefined
    ? []
    : readPrompts(prompts).rows.map(({ promptIds: ids }) => ({ ids, targets: [ids.length - 1] }));
  const fitting = all.filter(({ ids, targets }) =>
    ids.length > 1 && ids.length <= contextLength && targets.length > 0 &&
    Array.prototype.every.call(ids, (id: number) => id < vocabSize)
  );
  if (fitting.length > 0) return fitting.slice(0, ROWS);
  throw new DataError(`at least one row must fit ${model}, got none of ${all.length}`);
}

/** One update at learning rate 0: returns its tokens. */
function* trainingStep(network: Network, optimizer: AdamW, rows: readonly Sequence[]): Work<number> {
  for (const { batch, positions, targetIds } of microBatches(rows, SCORING_BUDGET)) {
    const tokens = { id: targetIds, weight: new Float32Array(positions.length).fill(1) };
    network.run({ batch, positions, program: SUPERVISED, tokens, train: true });
    yield;
  }
  optimizer.update(0);
  return tokensOf(rows);
}

const OPTIMIZER = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };

/** One forward pass: returns its tokens. */
function* scoringStep(network: Network, rows: readonly Sequence[]): Work<number> {
  yield* tokenLogprobsWork(network, rows);
  return tokensOf(rows);
}

function tokensOf(rows: readonly Sequence[]): number {
  return rows.reduce((sum, { ids }) => sum + ids.length, 0);
}

/** Returns the seconds per token of the fastest and the slowest of some steps. */
async function timesOf(step: () => Work<number>, signal: AbortSignal): Promise<Range> {
  await runYielding(step());
  const seconds: number[] = [], begun = performance.now();
  do {
    signal.throwIfAborted();
    const since = performance.now();
    const tokens = await runYielding(step());
    seconds.push((performance.now() - since) / 1000 / tokens);
  } while (seconds.length < STEPS && performance.now() - begun < PATIENCE_MS);
  return [smallest(seconds), largest(seconds)];
}

/** Returns the seconds per token of decoding steps, without reading the prompts, which is scoring. */
async function samplingTimes(
  { model, parameters }: LoadedModel,
  { prompts: file, signal }: TimeRequest,
): Promise<Range> {
  const rows = file === undefined ? [] : readPrompts(file).rows.slice(0, PROMPTS);
  const room = (length: number) => length + STEPS + 1 <= model.contextLength;
  const prompts = rows.filter(({ promptIds }) => room(promptIds.length))
    .map(({ id, promptIds: ids }) => ({ id, ids }));
  // A plan without prompts samples nothing.
  if (prompts.length === 0) return [0, 0];
  const seconds: number[] = [];
  let since: number | undefined;
  await runYielding(
    new Generator(model, parameters).steps({
      prompts,
      sampling: { temperature: 1, topK: 0, topP: 1 },
      maxNewTokens: STEPS + 1,
      eosIds: [],
      seed: 0,
      batchSize: PROMPTS,
      onStep() {
        signal.throwIfAborted();
        const now = performance.now();
        if (since !== undefined) seconds.push((now - since) / 1000 / prompts.length);
        since = now;
      },
    }),
  );
  return [smallest(seconds), largest(seconds)];
}

/** A family's generation: greedy continuations, logits with the key/value cache, and the training path on the same tokens. @module */
import { Generator } from "@/lib/model/generate/generator.ts";
import type { LoadedModel } from "@/lib/model/models/checkpoint.ts";
import { targetsFrom } from "@/lib/model/train/batching.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import type { FamilyGolden, GreedyGolden } from "./family_golden.ts";
import { absolute, type Bar, type Tally } from "./tally.ts";

const IDS: Bar = { check: "greedy ids", measure: "differences", bar: 0 };
const LOGITS = absolute("logits of decoding");
const AGREE = absolute("decoding against training");

/** Minimum gap of the two largest logits at which the token must be the golden one. */
const TIE_MARGIN = 1e-3;

/** Slots of the cache: fewer than prompts, so that slots are reused. */
const BATCH_SIZE = 2;

/** Compares greedy continuations with the golden, and sampled ones with the training path. */
export function checkDecoding(golden: FamilyGolden, loaded: LoadedModel, tally: Tally): void {
  // dynamic rope has no greedy golden: its cache depends on the order of decoding
  if (golden.greedy.length === 0 && golden.names.some((name) => name.startsWith("alone."))) return;
  for (const bar of [IDS, LOGITS]) tally.expect(bar);
  checkGreedy(golden.greedy, loaded, tally);
  checkAgreement(golden, loaded, tally);
}

function checkGreedy(
  goldens: readonly GreedyGolden[],
  { model, parameters }: LoadedModel,
  tally: Tally,
): void {
  const steps: Float32Array[][] = goldens.map(() => []);
  const results = new Generator(model, parameters).generate({
    prompts: goldens.map(({ prompt }, j) => ({ id: `${j}`, ids: prompt })),
    sampling: { temperature: 0 },
    maxNewTokens: Math.max(0, ...goldens.map(({ ids }) => ids.length)),
    eosIds: [],
    seed: 0,
    batchSize: BATCH_SIZE,
    onLogits: (j, step, logits) => void (steps[j]![step] = logits.slice()),
  });
  goldens.forEach(({ ids, margins, logits }, j) => {
    const found = results[j]!.responseIds;
    const first = ids.findIndex((id, k) => found[k] !== id);
    const tied = first >= 0 && margins[first]! < TIE_MARGIN;
    const compared = tied ? first : ids.length;
    tally.compare(IDS, `greedy.${j}`, found.subarray(0, compared), ids.subarray(0, compared));
    // logits can be compared while all tokens before them are equal
    const sameInput = first < 0 ? ids.length : first + 1, width = model.vocabSize;
    for (let k = 0; k < sameInput; k++) {
      const wanted = logits.subarray(k * width, (k + 1) * width);
      tally.compare(LOGITS, `greedy.${j}, step ${k}`, steps[j]![k] ?? [], wanted);
    }
  });
}

/** Samples from prompts of different lengths; the training path must compute the sampler's log-probability of every token. */
export function checkAgreement(
  { batch, greedy }: FamilyGolden,
  { model, parameters }: LoadedModel,
  tally: Tally,
): void {
  tally.expect(AGREE);
  const rows = batch.supervised.map(({ ids, targets }) => Int32Array.from(ids).subarray(0, targets[0] ?? 1));
  const prompts = [...greedy.map(({ prompt }) => prompt), ...rows]
    .filter((ids) => ids.length > 0 && ids.length < model.contextLength)
    .map((ids, i) => ({ id: `${i}`, ids }));
  const longest = Math.max(0, ...prompts.map(({ ids }) => ids.length));
  const responses = new Generator(model, parameters).generate({
    prompts,
    sampling: { temperature: 1 },
    maxNewTokens: Math.min(12, model.contextLength - longest),
    eosIds: [2],
    seed: 1,
    batchSize: BATCH_SIZE,
  });
  const sequences = prompts.map(({ ids }, i) => {
    const whole = Int32Array.from([...ids, ...responses[i]!.responseIds]);
    return { ids: whole, targets: targetsFrom(ids.length, whole.length) };
  });
  tokenLogprobs(new Network(model, parameters), sequences).forEach((logprobs, i) => {
    tally.compare(AGREE, `prompt ${i}`, responses[i]!.logprobs, logprobs);
  });
}

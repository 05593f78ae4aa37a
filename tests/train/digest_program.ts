/**
 * Prints digests of the results of a fixed small training and generation, as JSON on one line. The argument is the number
 * of threads, which a process cannot change.
 * @module
 */
import { digestBytes } from "@/lib/data/files/digest.ts";
import { Generator } from "@/lib/model/generate/generator.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { configureRuntime } from "@/lib/compute/ort/runtime.ts";
import { AdamW } from "@/lib/model/train/adamw.ts";
import { microBatches, targetsFrom } from "@/lib/model/train/batching.ts";
import { Network } from "@/lib/model/train/network.ts";
import { SUPERVISED } from "@/lib/model/train/programs.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";

const ROWS = 12, STEPS = 2;

configureRuntime({ threads: Number(Deno.args[0]) });
const { model, parameters } = loadModel("fixtures/stories260k");
const digest = (data: Float32Array | Int32Array) =>
  digestBytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));

const sequences = Array.from({ length: ROWS }, (_, i) => {
  const length = 60 + 9 * i;
  const ids = Int32Array.from({ length }, (_, t) => (t * t * 31 + t * 17 + i * 7) % model.vocabSize);
  return { ids, targets: targetsFrom(5, length) };
});
const before = tokenLogprobs(new Network(model, parameters), sequences);

const network = new Network(model, parameters, { trainable: true });
const options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: 1 };
const optimizer = new AdamW(network, options);
const gradients: string[] = [], norms: number[] = [];
for (let step = 0; step < STEPS; step++) {
  for (const { batch, positions, targetIds } of microBatches(sequences, 1024)) {
    const tokens = { id: targetIds, weight: new Float32Array(targetIds.length).fill(1e-3) };
    network.run({ batch, positions, program: SUPERVISED, tokens, train: true });
  }
  gradients.push(digest(network.gradients!.data));
  norms.push(optimizer.update(1e-3));
}

const generated = new Generator(model, parameters).generate({
  prompts: sequences.map(({ ids }, i) => ({ id: `${i}`, ids: ids.slice(0, 4 + 3 * i) })),
  sampling: { temperature: 1 },
  maxNewTokens: 24,
  eosIds: [2],
  seed: 3,
  batchSize: 5,
});

console.log(JSON.stringify({
  logprobs: before.map(digest),
  gradients,
  norms,
  parameters: digest(parameters.data),
  moments: [digest(optimizer.firstMoment.data), digest(optimizer.secondMoment.data)],
  responses: generated.map(({ responseIds }) => digest(responseIds)),
  sampled: generated.map(({ logprobs }) => digest(logprobs)),
}));

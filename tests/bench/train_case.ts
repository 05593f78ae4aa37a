/** A train step: forward, backward, gradient clipping and AdamW, with a loss at every position. @module */
import { AdamW } from "@/lib/model/train/adamw.ts";
import { Network } from "@/lib/model/train/network.ts";
import { SUPERVISED } from "@/lib/model/train/programs.ts";
import type { CaseResult, CaseSpec, WarmedUp } from "./bench_case.ts";
import { benchModel, randomIds, randomWeights, SHAPES, trainFlops } from "./shapes.ts";
import { repeater, timed } from "./timing.ts";

/** Measures steps on one batch of random ids. */
export function benchTrain(spec: CaseSpec, warmedUp: WarmedUp): CaseResult {
  const shape = SHAPES[spec.shape], { batch: rows, length } = spec, tokens = rows * length;
  const model = benchModel(shape, length), parameters = randomWeights(model, 1);
  const network = new Network(model, parameters, { trainable: true });
  const optimizer = new AdamW(network, {
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
    weightDecay: 0,
    maxGradNorm: 1,
  });
  const ids = randomIds(tokens, shape.vocab, 2);
  const pass = {
    batch: { ids, rows, length },
    positions: Int32Array.from({ length: tokens }, (_, i) => i),
    program: SUPERVISED,
    tokens: { id: randomIds(tokens, shape.vocab, 3), weight: new Float32Array(tokens).fill(1 / tokens) },
    train: true,
  };
  const step = () => {
    network.run(pass);
    optimizer.update(1e-4);
  };
  step();
  const ceilings = warmedUp(), ms: number[] = [];
  step(); // again, as the ceilings have replaced the content of the CPU caches
  const more = repeater({ steps: spec.steps, seconds: 6, least: 5 });
  while (more()) {
    ceilings.gemm();
    ms.push(timed(step));
  }
  ceilings.all();
  const flops = trainFlops(shape, parameters.data.length, { rows, length });
  return { ms, tokens, flops, details: { parameters: parameters.data.length } };
}

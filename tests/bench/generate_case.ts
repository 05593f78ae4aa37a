/** Decoding steps: new tokens after a prompt of one token, sampled at temperature 1. @module */
import { Generator } from "@/lib/model/generate/generator.ts";
import type { CaseResult, CaseSpec, WarmedUp } from "./bench_case.ts";
import { benchModel, forwardFlops, randomIds, randomWeights, SHAPES } from "./shapes.ts";
import { repeater } from "./timing.ts";

/** Decoding steps between two measurements of a ceiling. */
const CEILING_EVERY = 8;

/** Generates `length` tokens for `batch` prompts; one step samples one token for each. */
export function benchGenerate(spec: CaseSpec, warmedUp: WarmedUp): CaseResult {
  const shape = SHAPES[spec.shape], { batch, length } = spec;
  const model = benchModel(shape, length + 1), parameters = randomWeights(model, 1);
  const generator = new Generator(model, parameters);
  const prompts = Array.from({ length: batch }, (_, i) => ({
    id: `${i}`,
    ids: randomIds(1, shape.vocab, i),
  }));
  const generate = (seed: number, onStep: () => void) =>
    generator.generate({
      prompts,
      sampling: { temperature: 1 },
      maxNewTokens: length,
      eosIds: [],
      seed,
      batchSize: batch,
      onStep,
    });
  generate(0, () => {});
  const ceilings = warmedUp(), ms: number[] = [];
  const more = repeater({ steps: spec.steps, seconds: 6, least: 2 });
  for (let repetition = 1; more(); repetition++) {
    ceilings.all();
    let step = 0, startedAt = performance.now();
    generate(repetition, () => {
      ms.push(performance.now() - startedAt);
      if (++step % CEILING_EVERY === 0) ceilings.matvec(spec.shape);
      startedAt = performance.now();
    });
  }
  const flops = forwardFlops(shape, parameters.data.length, { rows: batch, length: 1 });
  return { ms, tokens: batch, flops, details: { parameters: parameters.data.length } };
}

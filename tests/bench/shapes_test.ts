import { assertEquals } from "@std/assert";
import { parametersOf } from "@/lib/model/models/model.ts";
import { sizeOf } from "@/lib/compute/tensor/tensor.ts";
import {
  benchModel,
  forwardFlops,
  randomIds,
  randomWeights,
  SHAPE_NAMES,
  SHAPES,
  trainFlops,
} from "./shapes.ts";

const count = (name: keyof typeof SHAPES) =>
  parametersOf(benchModel(SHAPES[name], 16)).reduce((sum, { shape }) => sum + sizeOf(shape), 0);

Deno.test("shapes have the numbers of parameters that their names say", () => {
  // quickstart: stories260K has 260,032; 135m: SmolLM-135M's 134,515,008.
  assertEquals(SHAPE_NAMES.map(count), [260032, 3443136, 15191712, 134515008]);
});

Deno.test("a train step with all positions supervised costs 6 · parameters · tokens and attention", () => {
  const shape = SHAPES["3m"], parameters = count("3m"), tokens = 8 * 128;
  const attention = 12 * shape.layers * 128 * tokens * shape.width / 2;
  assertEquals(trainFlops(shape, parameters, { rows: 8, length: 128 }), 6 * parameters * tokens + attention);
});

Deno.test("tokens that stay out of the head save its product", () => {
  const shape = SHAPES["3m"], parameters = count("3m"), pass = { rows: 2, length: 4 };
  const saved = forwardFlops(shape, parameters, pass) -
    forwardFlops(shape, parameters, { ...pass, headTokens: 3 });
  assertEquals(saved, 2 * 5 * 4096 * 192);
});

Deno.test("random weights are small, centred, and differ from seed to seed; norms are 1", () => {
  const model = benchModel(SHAPES.quickstart, 16), weights = randomWeights(model, 1);
  const matrices = weights.data.subarray(0, weights.decayed);
  const mean = matrices.reduce((sum, w) => sum + w, 0) / matrices.length;
  const variance = matrices.reduce((sum, w) => sum + w * w, 0) / matrices.length;
  assertEquals(Math.abs(mean) < 5e-4, true, `${mean}`);
  assertEquals(Math.abs(variance / (0.1 ** 2 / 12) - 1) < 0.02, true, `${variance}`);
  assertEquals(weights.data.subarray(weights.decayed).every((w) => w === 1), true);
  assertEquals(randomWeights(model, 2).data[5] === weights.data[5], false);
});

Deno.test("random ids lie in the vocabulary and reach both its ends", () => {
  const ids = randomIds(4096, 16, 1);
  assertEquals([Math.min(...ids), Math.max(...ids), ids.length], [0, 15, 4096]);
});

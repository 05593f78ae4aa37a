/** Properties of AdamW that its goldens do not separate: the place of ε, and the clipped gradient. @module */
import { assert, assertAlmostEquals } from "@std/assert";
import fc from "fast-check";
import { HOST } from "@/lib/compute/ort/place.ts";
import { ParameterVector } from "@/lib/model/models/parameters.ts";
import { AdamW, type AdamWOptions } from "./adamw.ts";
import { PlacedVector } from "./placed_vector.ts";

const OPTIONS: AdamWOptions = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: null };
const SHAPES = [{ name: "w", shape: [2, 3] }, { name: "b", shape: [4] }];

/** Makes one step from weights of 0 at `lr`. */
function oneStep(gradient: ArrayLike<number>, lr: number, options: Partial<AdamWOptions>) {
  const parameters = new ParameterVector(SHAPES), gradients = parameters.zeros();
  gradients.data.set(gradient);
  const vectors = {
    weights: new PlacedVector(HOST, parameters),
    placedGradients: new PlacedVector(HOST, gradients),
  };
  const optimizer = new AdamW(vectors, { ...OPTIONS, ...options });
  return { norm: optimizer.update(lr), optimizer, parameters };
}

const length = (values: ArrayLike<number>) => Math.hypot(...Array.from(values));

Deno.test("AdamW adds ε after the bias-corrected root, as PyTorch does and TensorFlow does not (statement 31)", () => {
  const g = 1e-3, epsilon = 1e-3, lr = 0.1;
  const { parameters } = oneStep(new Array(10).fill(g), lr, { epsilon });
  // In the first step the corrected moments are g and g²: lr·g / (√g² + ε) is half of lr.
  for (const w of parameters.data) assertAlmostEquals(w, -lr / 2, 1e-7);
  // Added before the correction, ε would have 1/√(1 − β₂) times the effect.
  assert(Math.abs(lr * g / (g + epsilon / Math.sqrt(1 - 0.999)) - lr / 2) > 0.04);
});

Deno.test("AdamW clips the gradient norm to max_grad_norm and keeps its direction (statement 11)", () => {
  const gradient = fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: 10, maxLength: 10 });
  fc.assert(
    fc.property(gradient, fc.double({ min: 0.01, max: 20, noNaN: true }), (drawn, maxGradNorm) => {
      const g = Float32Array.from(drawn), before = length(g);
      const { norm, optimizer } = oneStep(g, 0.1, { maxGradNorm });
      assertAlmostEquals(norm, before, 1e-5 * before + 1e-20); // squares below float32 are lost
      // The moments of the first step are (1 − β₁)·g and (1 − β₂)·g² of the clipped gradient.
      const clipped = optimizer.firstMoment.data.map((m) => m / (1 - OPTIONS.beta1));
      assert(length(clipped) <= maxGradNorm * (1 + 1e-5), `${length(clipped)} above ${maxGradNorm}`);
      const factor = Math.min(1, maxGradNorm / (before + 1e-6));
      clipped.forEach((x, i) => assertAlmostEquals(x, g[i]! * factor, 1e-5 * maxGradNorm));
      optimizer.secondMoment.data.forEach((v, i) =>
        assertAlmostEquals(v / (1 - OPTIONS.beta2), clipped[i]! ** 2, 1e-4 * maxGradNorm ** 2)
      );
    }),
    { seed: 11 },
  );
});

Deno.test("a gradient within max_grad_norm is not changed (statement 11)", () => {
  const g = Float32Array.from({ length: 10 }, (_, i) => (i - 4.5) / 20);
  const free = oneStep(g, 0.1, {}), bound = oneStep(g, 0.1, { maxGradNorm: length(g) * 1.01 });
  assert(free.norm === bound.norm && free.optimizer.firstMoment.data.some((m) => m !== 0));
  free.parameters.data.forEach((w, i) => assert(w === bound.parameters.data[i]));
});

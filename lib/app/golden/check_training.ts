/** A family's gradients, and four steps of AdamW on the golden batch. @module */
import type { LoadedModel } from "@/lib/models/checkpoint.ts";
import { AdamW } from "@/lib/train/adamw.ts";
import { gatherTokens, microBatches } from "@/lib/train/batching.ts";
import { Network } from "@/lib/train/network.ts";
import { SUPERVISED } from "@/lib/train/programs.ts";
import type { FamilyGolden } from "./family_golden.ts";
import type { Bar, Tally } from "./tally.ts";

const GRADIENTS: Bar = { check: "gradients", measure: "of_largest", bar: 1e-3 };
const LOSSES: Bar = { check: "losses of 4 AdamW steps", measure: "relative", bar: 1e-4 };
const NORMS: Bar = { check: "gradient norms of 4 AdamW steps", measure: "relative", bar: 1e-4 };
const PARAMETERS: Bar = { check: "parameters after 4 AdamW steps", measure: "absolute", bar: 1e-4 };

const LEARNING_RATE = 1e-3, STEPS = 4;

/** The optimizer of all goldens. */
export const GOLDEN_ADAMW = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: 1 };

/** Tokens of a micro-batch: less than the golden batch has, so that accumulation is part of what is checked. */
const TOKEN_BUDGET = 32;

/**
 * Norm of a gradient that is zero but for rounding, such as that of a key's bias without rotation, which softmax does
 * not see: there is nothing to be relative to.
 */
const NEAR_ZERO = 1e-6;

/** Compares gradients at the stored weights, losses and norms of four steps, and the weights after them. */
export function checkTraining(golden: FamilyGolden, loaded: LoadedModel, tally: Tally): void {
  const { model } = loaded, parameters = loaded.parameters.clone();
  const network = new Network(model, parameters, { trainable: true }), gradients = network.gradients!;
  const optimizer = new AdamW(parameters, gradients, GOLDEN_ADAMW);
  const specs = new Set(parameters.specs.map(({ name }) => name));
  const named = (prefix: string) =>
    golden.names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  const missing = (bar: Bar, names: readonly string[], found: readonly string[]) => {
    for (const name of names) if (!specs.has(name)) tally.fail(bar, `the model has no ${name}`);
    for (const name of specs) if (!found.includes(name)) tally.fail(bar, `the golden has no ${name}`);
  };
  const losses: number[] = [], norms: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    losses.push(supervisedLoss(golden, network));
    if (step === 0) {
      const names = named("grad.");
      missing(GRADIENTS, names, names);
      for (const name of names.filter((n) => specs.has(n))) {
        const found = gradients.view(name), wanted = golden.floats(`grad.${name}`);
        if (Math.max(norm(found), norm(wanted)) < NEAR_ZERO) continue;
        tally.compare(GRADIENTS, name, found, wanted);
      }
      tally.compare(LOSSES, "loss", [losses[0]!], golden.floats("loss"));
    }
    norms.push(optimizer.update(LEARNING_RATE));
  }
  losses.push(supervisedLoss(golden, network));
  tally.compare(LOSSES, "losses", losses, golden.floats("losses"));
  tally.compare(NORMS, "grad_norms", norms, golden.floats("grad_norms"));
  const names = named("param4.");
  missing(PARAMETERS, names, names);
  for (const name of names.filter((n) => specs.has(n))) {
    const skip = golden.names.includes(`skip4.${name}`) ? new Set(golden.ints(`skip4.${name}`)) : undefined;
    tally.compare(PARAMETERS, name, parameters.view(name), golden.floats(`param4.${name}`), skip);
  }
}

function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
}

/** The mean over all supervised tokens of the batch; adds its gradient. */
function supervisedLoss({ batch: { supervised } }: FamilyGolden, network: Network): number {
  const total = supervised.reduce((sum, { targets }) => sum + targets.length, 0);
  const weights = supervised.map(({ targets }) => new Float32Array(targets.length).fill(1 / total));
  let loss = 0;
  for (const micro of microBatches(supervised, TOKEN_BUDGET)) {
    const tokens = { id: micro.targetIds, weight: gatherTokens(micro, weights) };
    const { batch, positions } = micro;
    loss += network.run({ batch, positions, program: SUPERVISED, tokens, train: true }).loss;
  }
  return loss;
}

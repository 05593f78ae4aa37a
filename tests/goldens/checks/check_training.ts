/** A family's gradients, and four AdamW steps on the golden batch. @module */
import type { LoadedModel } from "@/lib/model/models/checkpoint.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import { AdamW } from "@/lib/model/train/adamw.ts";
import { gatherTokens, microBatches } from "@/lib/model/train/batching.ts";
import { Network } from "@/lib/model/train/network.ts";
import { SUPERVISED } from "@/lib/model/train/programs.ts";
import type { FamilyGolden } from "./family_golden.ts";
import { absolute, type Bar, relative, type Tally } from "./tally.ts";

const GRADIENTS: Bar = { check: "gradients", measure: "of_largest", bar: 1e-3 };
const LOSSES = relative("losses of 4 AdamW steps", 1e-4);
const NORMS = relative("gradient norms of 4 AdamW steps", 1e-4);
const PARAMETERS = absolute("parameters after 4 AdamW steps");

const LEARNING_RATE = 1e-3, STEPS = 4;

/** Optimizer settings of all goldens. */
const GOLDEN_ADAMW = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: 1 };

/** Tokens of a micro-batch: fewer than the golden batch has, so that accumulation is checked too. */
const TOKEN_BUDGET = 32;

/**
 * Norm below which a gradient is zero except for rounding, such as that of a key's bias without rotation, which cancels in
 * the softmax: no relative error is defined.
 */
const NEAR_ZERO = 1e-6;

/** Compares gradients at the stored weights, losses and norms of four steps, and the weights after them. */
export function checkTraining(golden: FamilyGolden, loaded: LoadedModel, tally: Tally): void {
  const { model } = loaded, parameters = loaded.parameters.clone();
  const network = new Network(model, parameters, { trainable: true }), gradients = network.gradients!;
  const optimizer = new AdamW(network, GOLDEN_ADAMW);
  const losses: number[] = [], norms: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    losses.push(supervisedLoss(golden, network));
    if (step === 0) {
      network.pullGradients();
      compareTensors(
        golden,
        { bar: GRADIENTS, prefix: "grad.", found: gradients, minNorm: NEAR_ZERO },
        tally,
      );
      tally.compare(LOSSES, "loss", [losses[0]!], golden.floats("loss"));
    }
    norms.push(optimizer.update(LEARNING_RATE));
  }
  losses.push(supervisedLoss(golden, network));
  network.pull();
  tally.compare(LOSSES, "losses", losses, golden.floats("losses"));
  tally.compare(NORMS, "grad_norms", norms, golden.floats("grad_norms"));
  compareTensors(
    golden,
    { bar: PARAMETERS, prefix: "param4.", found: parameters, skipPrefix: "skip4." },
    tally,
  );
}

/** Compares every tensor of `found` with the golden of the same name; a tensor that one of them lacks fails. */
function compareTensors(
  golden: FamilyGolden,
  { bar, prefix, found, minNorm = 0, skipPrefix }: {
    readonly bar: Bar;
    readonly prefix: string;
    readonly found: ParameterVector;
    /** tensors whose norm is less in both are not compared */
    readonly minNorm?: number;
    /** prefix of tensors that list the positions to skip */
    readonly skipPrefix?: string;
  },
  tally: Tally,
): void {
  const names = golden.names.filter((name) => name.startsWith(prefix)).map((name) =>
    name.slice(prefix.length)
  );
  const specs = new Set(found.specs.map(({ name }) => name));
  for (const name of names) if (!specs.has(name)) tally.fail(bar, `the model has no ${name}`);
  for (const name of specs) if (!names.includes(name)) tally.fail(bar, `the golden has no ${name}`);
  for (const name of names.filter((name) => specs.has(name))) {
    const actual = found.view(name), expected = golden.floats(prefix + name), skip = skipPrefix + name;
    if (Math.max(norm(actual), norm(expected)) < minNorm) continue;
    const positions = golden.names.includes(skip) ? new Set(golden.ints(skip)) : undefined;
    tally.compare(bar, name, actual, expected, positions);
  }
}

function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
}

/** Returns the mean loss over all supervised tokens of the batch and accumulates its gradient. */
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

/** Topics of PPO: the functions of lib/model/rl, the optimizer, and the learning-rate schedules. @module */
import { basename } from "node:path";
import { readJson } from "@/lib/data/files/json.ts";
import { ParameterVector } from "@/lib/model/models/parameters.ts";
import { type GoldenCase, goldenCases } from "@/tests/goldens/ppo/golden_case.ts";
import { checkPpoTopic } from "@/tests/goldens/ppo/golden_topics.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { defaultPlace } from "@/lib/compute/ort/default_place.ts";
import { AdamW } from "@/lib/model/train/adamw.ts";
import { PlacedVector } from "@/lib/model/train/placed_vector.ts";
import * as evaluator from "@/tests/support/evaluate.ts";
import { transformersFactor } from "@/lib/model/train/schedule.ts";
import { absolute, type Bar, type CheckLine, relative, type Tally, tally } from "./tally.ts";

/** Precision of float32. */
const WEIGHTS = absolute("weights of every step", 1e-5);
const MOMENTS: Bar = { check: "moments of every step", measure: "of_largest", bar: 1e-5 };
const NORMS = relative("gradient norms", 1e-5);

/**
 * Checks one topic file: `adamw` with the optimizer of production, all others with float64 functions.
 * @throws {DataError} if the file is no topic, an unknown one, or has an unknown key
 */
export function checkPpo(path: string): CheckLine[] {
  const json = readJson(path), name = basename(path, ".json");
  if (name === "adamw") {
    const checks = tally();
    for (const [i, golden] of goldenCases(name, json).entries()) {
      checkAdamW(golden, `case ${i}`, checks);
      golden.refuseUnknownKeys();
    }
    return checks.lines();
  }
  return checkPpoTopic(name, json, { evaluator, scheduleFactor: transformersFactor }).map((found) => ({
    ...found,
    measure: "relative",
    ok: found.largestError <= found.bar,
    worst: "",
    places: [],
  }));
}

/** A matrix w and a vector b under one optimizer, one gradient per step. */
function checkAdamW(golden: GoldenCase, place: string, checks: Tally): void {
  const w0 = golden.rows("w0"), b0 = golden.list("b0");
  if (golden.number("weight_decay_b") !== 0) {
    throw new DataError(
      `${place} of "adamw": weight_decay_b must be 0, as vectors do not decay, got ${
        golden.number("weight_decay_b")
      }`,
    );
  }
  const parameters = new ParameterVector([
    { name: "w", shape: [w0.length, w0[0]!.length] },
    { name: "b", shape: [b0.length] },
  ]);
  parameters.view("w").set(w0.flat());
  parameters.view("b").set(b0);
  const gradients = parameters.zeros();
  const placed = defaultPlace();
  const vectors = {
    weights: new PlacedVector(placed, parameters),
    placedGradients: new PlacedVector(placed, gradients),
  };
  const optimizer = new AdamW(vectors, {
    beta1: golden.number("beta1"),
    beta2: golden.number("beta2"),
    epsilon: golden.number("eps"),
    weightDecay: golden.number("weight_decay_w"),
    maxGradNorm: golden.numberOrNull("clip_norm"),
  });
  const gradientsW = golden.blocks("grads_w"), gradientsB = golden.rows("grads_b");
  const norms = golden.list("norms"), w = golden.blocks("w"), b = golden.rows("b");
  const m = golden.blocks("m_w"), v = golden.blocks("v_w");
  gradientsW.forEach((gradient, step) => {
    gradients.view("w").set(gradient.flat());
    gradients.view("b").set(gradientsB[step]!);
    vectors.placedGradients.push();
    const norm = optimizer.update(golden.number("lr"));
    vectors.weights.pull();
    optimizer.pull();
    const at = `${place}, step ${step}`;
    checks.compare(NORMS, at, [norm], [norms[step]!]);
    checks.compare(WEIGHTS, `${at}, w`, parameters.view("w"), w[step]!.flat());
    checks.compare(WEIGHTS, `${at}, b`, parameters.view("b"), b[step]!);
    checks.compare(MOMENTS, `${at}, m_w`, optimizer.firstMoment.view("w"), m[step]!.flat());
    checks.compare(MOMENTS, `${at}, v_w`, optimizer.secondMoment.view("w"), v[step]!.flat());
  });
}

/** Train steps on a device: their numbers are the processor's, and little crosses. @module */
import { assert, assertEquals } from "@std/assert";
import { HOST, type Place } from "@/lib/compute/ort/place.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { AdamW } from "@/lib/model/train/adamw.ts";
import { microBatches, type Sequence, targetsFrom } from "@/lib/model/train/batching.ts";
import { MovingAverage } from "@/lib/model/train/moving_average.ts";
import { Network } from "@/lib/model/train/network.ts";
import { SUPERVISED } from "@/lib/model/train/programs.ts";
import { onPlace } from "./on_place.ts";

const MODEL = "fixtures/goldens/srppo/policy";
const OPTIONS = { beta1: 0.9, beta2: 0.95, epsilon: 1e-4, weightDecay: 0.01, maxGradNorm: 1 };

/** Rows with repeated ids: their gradients are added to the same rows of the embedding table. */
const ROWS: readonly Sequence[] = [9, 14, 12].map((length, row) => {
  const ids = Int32Array.from({ length }, (_, t) => t % 3 === 0 ? 5 : 3 + (row * 31 + t * 17) % 90);
  return { ids, targets: targetsFrom(1, length) };
});

interface Trained {
  readonly losses: readonly number[];
  readonly norms: readonly number[];
  readonly weights: Float32Array;
  readonly average: Float32Array;
  /** bytes that crossed in the last step */
  readonly crossed: number;
}

/** Makes steps on one micro-batch. */
function train(place: Place, steps: number): Trained {
  return onPlace(place, () => {
    const { model, parameters } = loadModel(MODEL);
    const network = new Network(model, parameters, { trainable: true }),
      optimizer = new AdamW(network, OPTIONS);
    const average = new MovingAverage(parameters.clone(), network.weights);
    const losses: number[] = [], norms: number[] = [];
    let crossed = 0;
    for (let step = 0; step < steps; step++) {
      const before = place.traffic();
      for (const { batch, positions, targetIds } of microBatches(ROWS, 1024)) {
        const tokens = {
          id: targetIds,
          weight: new Float32Array(positions.length).fill(1 / positions.length),
        };
        losses.push(network.run({ batch, positions, program: SUPERVISED, tokens, train: true }).loss);
      }
      norms.push(optimizer.update(1e-3));
      average.update(0.9);
      const { uploaded, downloaded } = place.traffic();
      crossed = uploaded - before.uploaded + downloaded - before.downloaded;
    }
    network.pull();
    average.pull();
    return { losses, norms, weights: parameters.data, average: average.host.data, crossed };
  });
}

function farthest(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < wanted.length; i++) most = Math.max(most, Math.abs(found[i]! - wanted[i]!));
  return most;
}

/** Compares three steps with the processor's. */
export function checkTrainSteps(place: Place): void {
  const device = train(place, 3), host = train(HOST, 3);
  assertEquals(device.losses.length, 3);
  assert(device.losses[2]! < device.losses[0]!, "the loss decreases");
  for (const name of ["losses", "norms", "weights", "average"] as const) {
    const distance = farthest(device[name], host[name]);
    assert(distance <= 1e-4, `${name}: ${distance}`);
  }
}

/**
 * Checks the bytes of a step: ids and positions, per token of the batch and of the head, the loss, the norm, and the
 * optimizer's five scalars. None of it depends on the size of the model.
 */
export function checkTrainTraffic(place: Place): void {
  const { crossed } = train(place, 2);
  // One micro-batch of 3 rows, padded to 16 tokens; the head runs over 128.
  const tokens = 3 * 16, head = 128;
  const ids = 8 * tokens; // lookups
  const back = 8 * tokens + 8 * tokens; // gradients of lookups: all ids, and the different ones
  const gathered = (8 + 4) * head, scattered = (8 + 4) * tokens; // indices and masks
  const program = (8 + 4) * head + 4 * head + 4; // id, weight → log-probability, loss
  const optimizer = 4 * 5 + 4 + 4; // scalars, norm: zeroed and read
  assertEquals(crossed, ids + back + gathered + scattered + program + optimizer);
}

/** Checks that a gradient that is not finite is found and removed. */
export function checkDiscard(place: Place): void {
  onPlace(place, () => {
    const { model, parameters } = loadModel(MODEL);
    const network = new Network(model, parameters, { trainable: true }),
      optimizer = new AdamW(network, OPTIONS);
    const name = parameters.specs[0]!.name;
    network.gradients!.view(name)[3] = NaN;
    network.placedGradients!.push();
    assert(Number.isNaN(optimizer.gradNorm()));
    optimizer.pullGradients();
    assert(Number.isNaN(network.gradients!.view(name)[3]));
    optimizer.discard();
    assertEquals(optimizer.gradNorm(), 0);
  });
}

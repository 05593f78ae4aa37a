/** The running batch of a served model on a device. @module */
import { assertEquals } from "@std/assert";
import { HOST, type Place } from "@/lib/compute/ort/place.ts";
import { makeKey } from "@/lib/compute/random/uniform.ts";
import { RunningBatch } from "@/lib/model/generate/running_batch.ts";
import type { Sampling } from "@/lib/model/generate/sampler.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";

const LOADED = loadModel("fixtures/goldens/srppo/policy");

const SAMPLINGS: readonly Sampling[] = [
  { temperature: 0.8 },
  { temperature: 0 },
  { temperature: 1.3, topK: 5 },
  { temperature: 0.8, topP: 0.7 },
];

/** Decodes nine sequences of several settings and lengths in the given order, the last four added after two steps. */
function served(place: Place, order: readonly number[]): number[][] {
  const batch = new RunningBatch(LOADED, { slots: 3, tokens: 40 }, { place });
  const responses: number[][] = order.map(() => []), waiting = [...order];
  for (let step = 0; batch.running + batch.waiting + waiting.length > 0; step++) {
    for (const n of waiting.splice(0, step < 2 ? step === 0 ? 5 : 0 : Infinity)) {
      batch.add({
        ids: Int32Array.from({ length: 1 + n * 3 % 7 }, (_, t) => t === 0 ? 1 : 3 + (n * 31 + t * 17) % 90),
        sampling: SAMPLINGS[n % SAMPLINGS.length]!,
        key: makeKey(5, "rollout", `${n}`),
        isCancelled: () => n === 7 && responses[n]!.length === 3, // leaves before its end
        accept: (id, logits) => {
          assertEquals(logits.length, LOADED.model.vocabSize);
          return responses[n]!.push(id) >= 2 + n % 5;
        },
      });
    }
    batch.step();
  }
  return responses;
}

/** Compares the tokens with the processor's, in two orders. */
export function checkServedResponses(place: Place): void {
  const order = Array.from({ length: 9 }, (_, n) => n), wanted = served(HOST, order);
  assertEquals(wanted[7]!.length, 3);
  assertEquals(served(place, order), wanted);
  assertEquals(served(place, order.toReversed()), wanted);
}

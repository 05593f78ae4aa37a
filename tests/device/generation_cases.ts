/** Generation on a device: tokens, equality, and what crosses. @module */
import { assert, assertEquals } from "@std/assert";
import { drawTokens, Trace } from "@/lib/compute/autodiff/mod.ts";
import { HOST, type Place } from "@/lib/compute/ort/place.ts";
import { TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { makeKey, uniform } from "@/lib/compute/random/uniform.ts";
import { f32 } from "@/lib/compute/tensor/tensor.ts";
import type { Generated, GenerationOptions } from "@/lib/model/generate/generation_options.ts";
import { exactSteps } from "@/lib/model/generate/exact.ts";
import { Generator } from "@/lib/model/generate/generator.ts";
import { draw } from "@/lib/model/generate/sampler.ts";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { runSync } from "@/lib/model/train/event_loop.ts";
import { Network } from "@/lib/model/train/network.ts";
import { CompiledGraph } from "@/lib/model/train/compiled_graph.ts";

const { model, parameters } = loadModel("fixtures/goldens/srppo/policy");

const PROMPTS = Array.from({ length: 7 }, (_, i) => ({
  id: `p${i}`,
  ids: Int32Array.from({ length: 1 + (i * 5) % 11 }, (_, t) => t === 0 ? 1 : 3 + (i * 31 + t * 17) % 90),
}));

function generate(place: Place, options: Partial<GenerationOptions> = {}): Generated[] {
  return new Generator(model, parameters, { place }).generate({
    prompts: PROMPTS,
    sampling: { temperature: 0.8 },
    maxNewTokens: 6,
    eosIds: [7, 40, 62], // responses end at different times, so that slots are refilled
    seed: 5,
    batchSize: 3,
    logprobsT1: true,
    ...options,
  });
}

const bits = ({ responseIds, logprobs, finishReason }: Generated) =>
  `${responseIds} ${logprobs} ${finishReason}`;

/** Compares sampled and greedy responses with the processor's: equal ids, log-probabilities within rounding. */
export function checkResponses(place: Place): void {
  for (
    const sampling of [{ temperature: 0.8 }, { temperature: 0 }, { temperature: 0.8, topK: 5, topP: 0.7 }]
  ) {
    const wanted = generate(HOST, { sampling });
    generate(place, { sampling }).forEach((response, i) => {
      assertEquals(
        [...response.responseIds],
        [...wanted[i]!.responseIds],
        `${JSON.stringify(sampling)}, prompt ${i}`,
      );
      for (const name of ["logprobs", "logprobsT1"] as const) {
        response[name]?.forEach((x, t) =>
          assert(Math.abs(x - wanted[i]![name]![t]!) < 1e-4, `${name} ${i}, ${t}`)
        );
      }
    });
  }
}

/** Compares responses of one number of slots, bit by bit, with other orders, and so with other slots and refills. */
export function checkOrders(place: Place): void {
  const reference = generate(place).map(bits);
  for (const step of [3, 5]) {
    const order = PROMPTS.map((_, i) => (i * step + 2) % PROMPTS.length);
    const found = generate(place, { prompts: order.map((i) => PROMPTS[i]!) }).map(bits);
    assertEquals(found, order.map((i) => reference[i]!));
  }
}

/** Compares exact responses for several numbers of slots, bit by bit: the training graph draws them. */
export function checkExactResponses(place: Place): void {
  const respond = (batchSize: number) => {
    const options = {
      prompts: PROMPTS,
      temperature: 0.8,
      maxNewTokens: 6,
      eosIds: [7, 40, 62],
      seed: 5,
      batchSize,
    };
    const generator = new Generator(model, parameters, { place });
    return runSync(exactSteps(generator, new Network(model, parameters, { place }), options)).map(bits);
  };
  const reference = respond(1);
  for (const slots of [2, 7]) assertEquals(respond(slots), reference);
}

/** Checks the bytes of a step: per slot an id, two positions, a temperature and a random number, back an id and two log-probabilities. */
export function checkStepTraffic(place: Place): void {
  const crossed: number[] = [], slots = 3;
  let before = 0;
  generate(place, {
    prompts: PROMPTS.slice(0, slots),
    eosIds: [],
    onStep() {
      const { uploaded, downloaded } = place.traffic();
      crossed.push(uploaded + downloaded - before);
      before = uploaded + downloaded;
    },
  });
  // ids i64, position i64, last_index i32, temperature f32, u f32; total i32; id i64, logprob and logprob_t1 f32
  assertEquals(crossed.at(-1), slots * (8 + 8 + 4 + 4 + 4) + 4 + slots * (8 + 4 + 4));
}

/** Draws from rows of 1,000 tokens, from flat to peaked: the tokens of `draw()`, except where u is at a boundary. */
export function checkDraws(place: Place): void {
  const rows = 32, vocab = 1000, trace = new Trace();
  const p = trace.input("p", "f32", [rows, vocab]), u = trace.input("u", "f32", [rows, 1]);
  const graph = new CompiledGraph({ inputs: [p, u], outputs: { ids: drawTokens(p, u) } }, { place });
  for (let batch = 0; batch < 4; batch++) {
    const probabilities = new Float32Array(rows * vocab), numbers = new Float32Array(rows);
    for (let row = 0; row < rows; row++) {
      const key = makeKey(7, "row", batch, row),
        weights = Array.from({ length: vocab }, (_, i) => {
          return i % 7 === 0 ? 0 : Math.exp((batch * 6 + 1) * (uniform(key, i) - 0.5));
        });
      const sum = weights.reduce((a, b) => a + b);
      probabilities.set(weights.map((x) => x / sum), row * vocab);
      numbers[row] = row === 0 ? 0 : row === 1 ? 1 - 2 ** -24 : uniform(key, vocab);
    }
    const ids = TensorValue.zeros("i64", [rows, 1]);
    graph.prepare({
      p: new TensorValue(f32([rows, vocab], probabilities)),
      u: new TensorValue(f32([rows, 1], numbers)),
    }, { ids }).run();
    for (let row = 0; row < rows; row++) {
      const own = probabilities.subarray(row * vocab, (row + 1) * vocab), found = Number(ids.data[row]);
      assert(own[found]! > 0, `row ${row}: token ${found} has probability 0`);
      const { id } = draw(own, numbers[row]!, { temperature: 1 });
      if (found === id) continue;
      const upTo = (end: number) => own.subarray(0, end + 1).reduce((a, b) => a + b, 0);
      const boundary = Math.abs(upTo(Math.min(found, id)) - numbers[row]!);
      assert(boundary < 1e-6, `row ${row}: token ${found} instead of ${id}, ${boundary} from a boundary`);
    }
  }
}

/**
 * Invariances of a pass: its results do not depend on the batching of rows, the content of padding, the other rows of the
 * batch, the other positions of the pass, or earlier passes.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import {
  gatherTokens,
  type MicroBatch,
  microBatches,
  scatterTokens,
  type Sequence,
  targetsFrom,
} from "@/lib/model/train/batching.ts";
import { Network } from "@/lib/model/train/network.ts";
import { policyProgram } from "@/lib/model/train/ppo_programs.ts";
import { LOGPROBS, SUPERVISED } from "@/lib/model/train/programs.ts";
import { tokenLogits } from "@/tests/support/token_logits.ts";
import { tokenLogprobs, tokenValues } from "@/lib/model/train/token_logprobs.ts";
import { allTargets, raggedSequences } from "@/tests/support/ragged_sequences.ts";

const { model, parameters } = loadModel("fixtures/goldens/families/llama_sharded");
const RUNS = { numRuns: 12, seed: 20251024 };
const ALL = 1 << 20; // a token budget that no batch exceeds

/** Loss and gradient of the mean over all targets, from micro-batches that `change` may alter. */
function lossAndGradient(
  sequences: readonly Sequence[],
  options: { readonly tokenBudget?: number; readonly change?: (micro: MicroBatch) => MicroBatch } = {},
) {
  const { tokenBudget = ALL, change = (micro: MicroBatch) => micro } = options;
  const network = new Network(model, parameters, { trainable: true });
  const total = sequences.reduce((sum, { targets }) => sum + targets.length, 0);
  const weights = sequences.map(({ targets }) => new Float32Array(targets.length).fill(1 / total));
  let loss = 0;
  for (const micro of microBatches(sequences, tokenBudget)) {
    const { batch, positions } = change(micro);
    const tokens = { id: micro.targetIds, weight: gatherTokens(micro, weights) };
    loss += network.run({ batch, positions, program: SUPERVISED, tokens, train: true }).loss;
  }
  return { loss, gradients: network.gradients! };
}

/** Rows of a micro-batch with `fill()` in place of every padding token. */
function withPadding(micro: MicroBatch, sequences: readonly Sequence[], fill: () => number): MicroBatch {
  const { rows, length } = micro.batch, ids = micro.batch.ids.slice();
  micro.members.forEach((member, row) => {
    // the last token is not fed: padding starts there
    for (let t = sequences[member]!.ids.length - 1; t < length; t++) ids[row * length + t] = fill();
  });
  return { ...micro, batch: { ids, rows, length } };
}

function assertWithin(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bar: number,
  what: string,
): void {
  assertEquals(actual.length, expected.length, what);
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!);
    assert(error <= bar, `${what}[${i}] is ${actual[i]}, not ${expected[i]}: off by ${error}, above ${bar}`);
  }
}

Deno.test("gradients do not depend on the token budget of micro-batches", () => {
  const budgets = fc.integer({ min: 1, max: 160 });
  fc.assert(
    fc.property(raggedSequences(model.vocabSize), budgets, (sequences, tokenBudget) => {
      const whole = lossAndGradient(sequences), parts = lossAndGradient(sequences, { tokenBudget });
      assertWithin([parts.loss], [whole.loss], 1e-5, "loss");
      for (const { name } of parameters.specs) {
        const expected = whole.gradients.view(name);
        const largest = expected.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
        assertWithin(parts.gradients.view(name), expected, 1e-5 * largest, name);
      }
    }),
    RUNS,
  );
});

Deno.test("the content of padding changes no bit of the loss and the gradients", () => {
  const id = fc.nat(model.vocabSize - 1);
  fc.assert(
    fc.property(raggedSequences(model.vocabSize), fc.infiniteStream(id), (sequences, stream) => {
      const plain = lossAndGradient(sequences);
      const fill = () => stream.next().value as number;
      const filled = lossAndGradient(sequences, { change: (micro) => withPadding(micro, sequences, fill) });
      assertEquals(filled.loss, plain.loss);
      assertEquals(filled.gradients.data, plain.gradients.data);
    }),
    RUNS,
  );
});

Deno.test("padding is not recognised by its id: the end token is trained on, and may occur in the padding (statements 15 and 34)", () => {
  for (const end of [0, 2, model.vocabSize - 1]) { // 0 is what rows are filled up with
    const sequences: Sequence[] = [
      allTargets({ ids: [1, 7, 9, end], targets: [] }),
      allTargets({ ids: [1, 5, 40, 41, 42, 43, 44, 45, 46, 47, 48, end], targets: [] }),
    ];
    const plain = lossAndGradient(sequences);
    const filled = lossAndGradient(sequences, {
      change: (micro) => withPadding(micro, sequences, () => end),
    });
    assertEquals(filled.loss, plain.loss);
    assertEquals(filled.gradients.data, plain.gradients.data);
    const logprobs = tokenLogprobs(new Network(model, parameters), sequences, ALL);
    assert(
      logprobs.every((row) => row.at(-1)! < -1),
      "an end is as improbable as any token of random weights",
    );
    const all = logprobs.flatMap((row) => [...row]);
    assertWithin([plain.loss], [-all.reduce((a, b) => a + b) / all.length], 1e-5, "loss");
  }
});

Deno.test("a row that is all padding changes no log-probability and no gradient", () => {
  fc.assert(
    fc.property(raggedSequences(model.vocabSize), (sequences) => {
      const plain = lossAndGradient(sequences);
      const longer = lossAndGradient(sequences, {
        change(micro) {
          const { ids, rows, length } = micro.batch;
          return {
            ...micro,
            batch: { ids: Int32Array.from([...ids, ...new Int32Array(length)]), rows: rows + 1, length },
          };
        },
      });
      assertWithin([longer.loss], [plain.loss], 1e-6, "loss");
      assertWithin(longer.gradients.data, plain.gradients.data, 1e-6, "gradient");
    }),
    RUNS,
  );
});

Deno.test("a row's log-probabilities do not depend on the other rows of the batch", () => {
  fc.assert(
    fc.property(raggedSequences(model.vocabSize), (ragged) => {
      const sequences = ragged.map(allTargets), network = new Network(model, parameters);
      const together = tokenLogprobs(network, sequences, ALL);
      sequences.forEach((sequence, i) => {
        const [alone] = tokenLogprobs(network, [sequence], ALL);
        assertWithin(together[i]!, alone!, 1e-6, `row ${i}`);
      });
    }),
    RUNS,
  );
});

Deno.test("a token's log-probability does not depend on the other positions of the pass", () => {
  fc.assert(
    fc.property(raggedSequences(model.vocabSize), (sequences) => {
      const network = new Network(model, parameters);
      const some = tokenLogprobs(network, sequences), all = tokenLogprobs(network, sequences.map(allTargets));
      sequences.forEach(({ targets }, i) => {
        assertEquals([...some[i]!], Array.from(targets, (t) => all[i]![t - 1]!));
      });
    }),
    RUNS,
  );
});

Deno.test("a token's log-probability does not depend on the tokens after it", () => {
  const network = new Network(model, parameters), ids = Array.from({ length: 24 }, (_, t) => (t * 37) % 96);
  const positions = Int32Array.from({ length: 12 }, (_, t) => t);
  const logits = (all: number[]) =>
    tokenLogits(network, { ids: Int32Array.from(all), rows: 1, length: 24 }, positions);
  const changed = ids.map((id, t) => (t < 12 ? id : (id + 1) % 96));
  assertEquals(logits(changed), logits(ids));
  // and it does on those before it
  assert(logits(ids.with(3, 95)).some((x, i) => x !== logits(ids)[i]));
});

Deno.test("a pass gives equal bits after larger and smaller passes", () => {
  const network = new Network(model, parameters, { trainable: true });
  const sequenceOf = (length: number): Sequence =>
    allTargets({ ids: Array.from({ length }, (_, t) => (t * 53 + length) % 96), targets: [] });
  const once = (sequences: readonly Sequence[]) => {
    network.gradients!.data.fill(0);
    const [micro] = microBatches(sequences, ALL);
    const weight = new Float32Array(micro!.positions.length).fill(0.1);
    const { batch, positions, targetIds } = micro!;
    const tokens = { id: targetIds, weight };
    const { loss } = network.run({ batch, positions, program: SUPERVISED, tokens, train: true });
    return { loss, gradient: network.gradients!.data.slice() };
  };
  const small = [sequenceOf(9)];
  const first = once(small);
  once(Array.from({ length: 9 }, (_, i) => sequenceOf(90 + i))); // grows every shared buffer
  assertEquals(once(small), first);
  tokenLogprobs(network, Array.from({ length: 40 }, (_, i) => sequenceOf(50 + i)));
  assertEquals(once(small), first);
});

Deno.test("gradients add up over passes, and a pass without training does not change them", () => {
  const network = new Network(model, parameters, { trainable: true });
  const [micro] = microBatches([{ ids: [1, 2, 3, 4, 5], targets: [2, 4] }], ALL);
  const { batch, positions, targetIds } = micro!;
  const tokens = { id: targetIds, weight: [0.5, 0.5] };
  const pass = { batch, positions, program: SUPERVISED, tokens };
  network.run({ ...pass, train: true });
  const once = network.gradients!.data.slice();
  network.run(pass);
  network.run({ batch, positions, program: LOGPROBS, tokens: { id: targetIds } });
  assertEquals(network.gradients!.data, once);
  network.run({ ...pass, train: true });
  assertWithin(network.gradients!.data, once.map((g) => 2 * g), 1e-6, "gradient");
  assert(once.some((g) => g !== 0));
});

Deno.test("training uses no dropout: its log-probabilities are those of scoring, in every pass (statement 24)", () => {
  const network = new Network(model, parameters, { trainable: true });
  const sequences = [12, 30, 7].map((length): Sequence =>
    allTargets({ ids: Array.from({ length }, (_, t) => (t * 29 + length) % 96), targets: [] })
  );
  const scored = tokenLogprobs(network, sequences, ALL).flatMap((row) => [...row]);
  const [micro] = microBatches(sequences, ALL);
  const count = micro!.positions.length, { batch, positions, targetIds } = micro!;
  const tokens = {
    id: targetIds,
    oldLogprob: new Float32Array(count),
    advantage: new Float32Array(count),
    weight: new Float32Array(count),
  };
  const program = policyProgram({
    clip: { clipLow: 0.2, clipHigh: 0.2 },
    temperature: 1,
    entropyCoefficient: 0,
  });
  for (let pass = 0; pass < 3; pass++) {
    const result = network.run({ batch, positions, program, tokens, train: true });
    const rows: Float32Array[] = [];
    scatterTokens(micro!, sequences, result.tokens.logprob!, rows);
    assertWithin(rows.flatMap((row) => [...row]), scored, 1e-6, "log-probability");
  }
});

Deno.test("a value depends on the prompt and earlier tokens, not on its own token and later ones (statement 14)", () => {
  const critic = loadModel("fixtures/goldens/srppo/critic"), ids = [1, 17, 40, 8, 23, 61, 9, 30], first = 3;
  const network = new Network(critic.model, critic.parameters), targets = targetsFrom(first, ids.length);
  const values = (given: number[]) => [...tokenValues(network, [{ ids: given, targets }])[0]!];
  const plain = values(ids);
  assertEquals(plain.length, ids.length - first);
  ids.forEach((id, t) => {
    const changed = values(ids.with(t, id + 1));
    // value k precedes response token first + k: it depends on the tokens 0 … first + k − 1
    changed.forEach((value, k) =>
      assertEquals(value === plain[k], t >= first + k, `value ${k} and token ${t}`)
    );
  });
});

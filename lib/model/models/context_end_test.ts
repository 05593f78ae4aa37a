/** Decoding and training agree at the end of the context, with padding, windows and rotation. @module */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { Generator } from "@/lib/model/generate/generator.ts";
import { targetsFrom } from "@/lib/model/train/batching.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import { numbers } from "@/tests/support/check_grads.ts";
import { modelFromConfig } from "./config.ts";
import { type Model, parametersOf } from "./model.ts";
import { ParameterVector } from "./parameters.ts";

type Fields = Readonly<Record<string, unknown>>;

const SIZES = {
  vocab_size: 40,
  hidden_size: 32,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 8,
};
const GPT2 = { vocab_size: 40, n_embd: 32, n_layer: 2, n_head: 8 };

function family(type: string, change: Fields): Model {
  return modelFromConfig({ model_type: type, ...(type === "gpt2" ? GPT2 : SIZES), ...change });
}

/** Returns weights that keep activations near 1. */
function randomWeights(model: Model): ParameterVector {
  const parameters = new ParameterVector(parametersOf(model)), next = numbers(5);
  for (const { name, shape } of parameters.specs) {
    const view = parameters.view(name), isScale = shape.length === 1 && name.endsWith("weight");
    const size = shape.length === 2 ? 2 / Math.sqrt(shape[1]!) : 0.3;
    for (let i = 0; i < view.length; i++) view[i] = (isScale ? 1 : 0) + size * (2 * next() - 1);
  }
  return parameters;
}

/** Combinations of padding, windows and the end of the context. */
const EDGES: readonly (readonly [string, string, Fields])[] = [
  ["a context that ends within a bucket of lengths", "gpt2", { n_positions: 21 }],
  ["a window of one token", "mistral", { sliding_window: 1, max_position_embeddings: 21 }],
  ["soft caps, windows and heads of 10", "gemma2", {
    ...{ sliding_window: 3, head_dim: 10, attn_logit_softcapping: 2, final_logit_softcapping: 3 },
    max_position_embeddings: 21,
  }],
  ["2 of 5 dimensions rotated", "gpt_neox", {
    ...{ hidden_size: 40, rotary_pct: 0.4, max_position_embeddings: 21 },
  }],
  ["no positions at all", "smollm3", { no_rope_layers: [0, 0], max_position_embeddings: 21 }],
  ["rows within the context of a dynamic rotation", "llama", {
    ...{ max_position_embeddings: 21, rope_scaling: { rope_type: "dynamic", factor: 2 } },
  }],
];

for (const [what, type, change] of EDGES) {
  Deno.test(`decoding to the end of the context gives training's log-probabilities: ${what}`, () => {
    const model = family(type, change), parameters = randomWeights(model);
    const prompts = [[3, 7, 1, 9, 12, 30, 2, 8, 4, 5], [6, 11]].map((ids, i) => ({
      id: `${i}`,
      ids: Int32Array.from(ids),
    }));
    const responses = new Generator(model, parameters).generate({
      prompts,
      sampling: { temperature: 1 },
      maxNewTokens: 11,
      eosIds: [],
      seed: 3,
      batchSize: 2,
    });
    const sequences = prompts.map(({ ids }, i) => {
      const whole = Int32Array.from([...ids, ...responses[i]!.responseIds]);
      return { ids: whole, targets: targetsFrom(ids.length, whole.length) };
    });
    assertEquals(sequences[0]!.ids.length, 21);
    tokenLogprobs(new Network(model, parameters), sequences).forEach((logprobs, i) => {
      assertEquals(logprobs.length, 11);
      logprobs.forEach((x, t) =>
        assertAlmostEquals(x, responses[i]!.logprobs[t]!, 1e-5, `row ${i}, token ${t}`)
      );
    });
  });
}

Deno.test("results of a row do not depend on the batch if its rotation depends on its length", () => {
  const model = family("llama", {
    ...{ max_position_embeddings: 8, rope_scaling: { rope_type: "dynamic", factor: 3 } },
  });
  const network = new Network(model, randomWeights(model));
  const sequences = [24, 19, 12, 7].map((length) => ({
    ids: Int32Array.from({ length }, (_, t) => (t * 7 + length) % 40),
    targets: targetsFrom(1, length),
  }));
  const together = tokenLogprobs(network, sequences, 4096);
  sequences.forEach((sequence, i) => {
    const [alone] = tokenLogprobs(network, [sequence], 8);
    alone!.forEach((x, t) => assertAlmostEquals(x, together[i]![t]!, 1e-5, `row ${i}, token ${t}`));
  });
});

/** Llama configs of several exporters, and every variant of the block: gradients, decoding. @module */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { Generator } from "@/lib/model/generate/generator.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { microBatches, type Sequence, targetsFrom } from "@/lib/model/train/batching.ts";
import { Network } from "@/lib/model/train/network.ts";
import { SUPERVISED } from "@/lib/model/train/programs.ts";
import { tokenLogprobs } from "@/lib/model/train/token_logprobs.ts";
import { numbers } from "@/tests/support/check_grads.ts";
import { modelFromConfig } from "./config.ts";
import { type Model, parametersOf } from "./model.ts";
import { ParameterVector } from "./parameters.ts";

type Fields = Readonly<Record<string, unknown>>;

const SMALL = {
  model_type: "llama",
  vocab_size: 37,
  hidden_size: 24,
  intermediate_size: 40,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
};

const LLAMA3 = {
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 16,
};

/** Returns weights that keep activations near 1; biases and norms are far from the identity. */
function randomWeights(model: Model, seed = 11): ParameterVector {
  const parameters = new ParameterVector(parametersOf(model)), next = numbers(seed);
  for (const { name, shape } of parameters.specs) {
    const view = parameters.view(name), isNorm = name.includes("norm");
    const size = shape.length === 2 ? 2 / Math.sqrt(shape[1]!) : 0.5;
    for (let i = 0; i < view.length; i++) view[i] = (isNorm ? 1 : 0) + size * (2 * next() - 1);
  }
  return parameters;
}

const SPELLINGS: readonly (readonly [string, Fields, Fields])[] = [
  ["grouped queries", {}, { heads: 4, kvHeads: 2, headDim: 6, theta: 10000 }],
  ["num_key_value_heads absent", { num_key_value_heads: undefined }, { kvHeads: 4 }],
  ["num_key_value_heads null", { num_key_value_heads: null }, { kvHeads: 4 }],
  ["head_dim null", { head_dim: null }, { headDim: 6 }],
  ["head_dim free", { head_dim: 10 }, { headDim: 10 }],
  ["tie_word_embeddings absent", { tie_word_embeddings: undefined }, { output: "lm_head.weight" }],
  ["tie_word_embeddings true", { tie_word_embeddings: true }, { output: "model.embed_tokens.weight" }],
  ["rope_theta outside", { rope_theta: 5e5 }, { theta: 5e5 }],
  ["rope_scaling null", { rope_theta: 5e5, rope_scaling: null }, { theta: 5e5 }],
  ["rope_parameters of transformers 5", { rope_parameters: { rope_type: "default", rope_theta: 5e5 } }, {
    theta: 5e5,
  }],
  [
    "rope_parameters beside an outer rope_theta",
    { rope_theta: 10, rope_parameters: { rope_type: "default", rope_theta: 5e5 } },
    { theta: 5e5 },
  ],
  ["rope_parameters without rope_theta", { rope_theta: 5e5, rope_parameters: { rope_type: "default" } }, {
    theta: 5e5,
  }],
  ["linear scaling, old spelling", { rope_scaling: { type: "linear", factor: 4 } }, { first: 0.25 }],
  [
    "linear scaling, new spelling",
    { rope_parameters: { rope_type: "linear", factor: 4, rope_theta: 10000 } },
    { first: 0.25 },
  ],
  ["dtype", { dtype: "bfloat16" }, {}],
  ["torch_dtype", { torch_dtype: "float16" }, {}],
  ["dropout, which training here does not use", { attention_dropout: 0.1 }, {}],
  ["no window", { sliding_window: null }, {}],
];

for (const [name, change, expected] of SPELLINGS) {
  Deno.test(`a config is read: ${name}`, () => {
    const model = modelFromConfig({ ...SMALL, ...change }), { attention } = model.blocks[0]!;
    const { headDim, rope } = attention;
    const found: Record<string, unknown> = {
      heads: attention.heads,
      kvHeads: attention.kvHeads,
      headDim,
      output: model.head.output!.name,
      first: rope!.frequencies[0],
      // ω₁ = θ^(−2/d)
      theta: Math.round(rope!.frequencies[1]! ** (-headDim / 2)),
    };
    for (const [key, value] of Object.entries(expected)) assertEquals(found[key], value, key);
    assertAlmostEquals(attention.scale, headDim ** -0.5, 1e-15);
  });
}

Deno.test("the scaling llama3 is equal with both field names, and its frequencies are those of transformers' formula", () => {
  const frequencies = (fields: Fields) =>
    modelFromConfig({ ...SMALL, head_dim: 12, ...fields }).blocks[0]!.attention.rope!.frequencies;
  const outer = frequencies({ rope_theta: 100, rope_scaling: { rope_type: "llama3", ...LLAMA3 } });
  assertEquals(frequencies({ rope_parameters: { rope_type: "llama3", rope_theta: 100, ...LLAMA3 } }), outer);
  // By hand: wavelengths 2π/ω against 16/1 and 16/4.
  Array.from(outer).forEach((found, i) => {
    const plain = 100 ** (-2 * i / 12), wavelength = 2 * Math.PI / plain;
    const smooth = (16 / wavelength - 1) / (4 - 1);
    const expected = wavelength < 4
      ? plain
      : wavelength > 16
      ? plain / 8
      : (1 - smooth) * plain / 8 + smooth * plain;
    assertAlmostEquals(found, expected, 1e-15, `frequency ${i}`);
  });
});

Deno.test("unsupported fields that would change the arithmetic are rejected by name", () => {
  const rejection = (change: Fields) =>
    assertThrows(() => modelFromConfig({ ...SMALL, ...change }), DataError).message;
  const rejected: Readonly<Record<string, unknown>> = {
    sliding_window: 16,
    pretraining_tp: 2,
    partial_rotary_factor: 0.5,
    rope_theta: -1,
    rope_parameters: { rope_type: "default", rope_theta: "1e4" },
  };
  for (const [field, value] of Object.entries(rejected)) {
    const message = rejection({ [field]: value });
    assert(message.startsWith(`config.json: ${field}`), message);
    assert(!message.includes(";"), "one wrong field, one problem");
  }
  for (const field of ["rope_scaling", "rope_parameters"]) {
    const unknown = rejection({ [field]: { rope_type: "spiral", factor: 2 } });
    assert(
      unknown.startsWith("config.json: the type of rope_scaling must be one of default, linear, "),
      unknown,
    );
    assert(unknown.endsWith(', got "spiral"'), unknown);
  }
  const activation = rejection({ hidden_act: "softsign" });
  assert(activation.endsWith(', got "softsign"'), activation);
});

const VARIANTS: Readonly<Record<string, Fields>> = {
  "grouped queries": {},
  "one key head": { num_key_value_heads: 1 },
  "as many key heads as heads": { num_key_value_heads: 4 },
  "tied": { tie_word_embeddings: true },
  "biases everywhere": { attention_bias: true, mlp_bias: true },
  "biases, tied, one key head": {
    attention_bias: true,
    mlp_bias: true,
    tie_word_embeddings: true,
    num_key_value_heads: 1,
  },
  "heads of 12, which decoding pads to 16": { head_dim: 12 },
  "heads of 2": { head_dim: 2, num_attention_heads: 12, num_key_value_heads: 3 },
  "one layer": { num_hidden_layers: 1 },
  "scaling llama3": { head_dim: 8, rope_theta: 100, rope_scaling: { rope_type: "llama3", ...LLAMA3 } },
  "gelu": { hidden_act: "gelu_pytorch_tanh" },
  "one head": { num_attention_heads: 1, num_key_value_heads: 1 },
};

for (const [name, change] of Object.entries(VARIANTS)) {
  Deno.test(`decoding gives training's log-probabilities: ${name}`, () => {
    const model = modelFromConfig({ ...SMALL, ...change }), parameters = randomWeights(model);
    const prompts = [1, 2, 9, 17].map((length, i) => ({
      id: `p${i}`,
      ids: Int32Array.from({ length }, (_, t) => (i * 11 + t * 5) % 37),
    }));
    const responses = new Generator(model, parameters).generate({
      prompts,
      sampling: { temperature: 1 },
      maxNewTokens: 20,
      eosIds: [],
      seed: 3,
      batchSize: 3,
    });
    const sequences = responses.map(({ responseIds }, i): Sequence => {
      const ids = Int32Array.from([...prompts[i]!.ids, ...responseIds]);
      return { ids, targets: targetsFrom(prompts[i]!.ids.length, ids.length) };
    });
    tokenLogprobs(new Network(model, parameters), sequences).forEach((row, i) =>
      row.forEach((x, t) =>
        assertAlmostEquals(responses[i]!.logprobs[t]!, x, 1e-4, `response ${i}, token ${t}`)
      )
    );
  });

  Deno.test(`the gradient of every weight is the loss's central difference: ${name}`, () => {
    const model = modelFromConfig({ ...SMALL, ...change }), parameters = randomWeights(model);
    const network = new Network(model, parameters, { trainable: true });
    const sequences = [13, 8, 16].map((length, i): Sequence => ({
      ids: Int32Array.from({ length }, (_, t) => (i * 17 + t * t * 3) % 37),
      targets: targetsFrom(1 + i, length),
    }));
    const count = sequences.reduce((sum, { targets }) => sum + targets.length, 0);
    const loss = (train: boolean) => {
      let sum = 0; // in f64: rounding of the f32 sum would be the largest error here
      for (const { batch, positions, targetIds } of microBatches(sequences, 64)) {
        const tokens = { id: targetIds, weight: new Float32Array(positions.length).fill(1 / count) };
        for (
          const x of network.run({ batch, positions, program: SUPERVISED, tokens, train }).tokens.logprob!
        ) sum -= x;
      }
      return sum / count;
    };
    loss(true);
    const next = numbers(5), epsilon = 4e-3;
    for (const { name: weight } of parameters.specs) {
      // Along the gradient plus a random direction: this detects a wrong size and a wrong direction.
      const gradient = Float64Array.from(network.gradients!.view(weight)), norm = Math.hypot(...gradient);
      const random = gradient.map(() => 2 * next() - 1), size = Math.hypot(...random);
      const direction = gradient.map((g, i) => g / norm + random[i]! / size);
      const expected = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0);
      const view = parameters.view(weight), before = view.slice();
      const at = (sign: number) => {
        for (let i = 0; i < view.length; i++) view[i] = before[i]! + sign * epsilon * direction[i]!;
        return loss(false);
      };
      const found = (at(1) - at(-1)) / (2 * epsilon);
      view.set(before);
      // Rounding of a loss near 4 in f32 is 5e-7, over 2ε; the third derivative adds about ε².
      const bound = 5e-3 * norm + 1e-4;
      assert(norm > 1e-3, `the gradient of ${weight} is ${norm}: this tests nothing`);
      assert(Math.abs(found - expected) < bound, `${weight}: ${found} is not ${expected} ± ${bound}`);
    }
  });
}

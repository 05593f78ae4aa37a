/**
 * Families by their configs: defaults of transformers' config classes, older field names, rejected fields, names in
 * checkpoints. tests/goldens checks their arithmetic.
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { modelFromConfig } from "./config.ts";
import { FAMILIES } from "./families.ts";
import { type Model, parametersOf } from "./model.ts";

type Fields = Readonly<Record<string, unknown>>;

const SIZES = {
  vocab_size: 40,
  hidden_size: 32,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 8,
};
const GPT2 = { vocab_size: 40, n_embd: 32, n_layer: 2, n_head: 8 };

function family(type: string, change: Fields = {}): Model {
  return modelFromConfig({ model_type: type, ...(type === "gpt2" ? GPT2 : SIZES), ...change });
}

function rejection(type: string, change: Fields): string {
  return assertThrows(() => family(type, change), DataError).message;
}

/** Returns the main properties of a model. */
function outline(model: Model) {
  const { attention } = model.blocks[0]!, names = parametersOf(model).map(({ name }) => name);
  return {
    kvHeads: attention.kvHeads,
    headDim: attention.headDim,
    scale: attention.scale,
    softcap: attention.softcap,
    windows: model.blocks.map((block) => block.attention.window),
    rotated: model.blocks.map((block) => 2 * (block.attention.rope?.frequencies.length ?? 0)),
    context: model.contextLength,
    output: model.head.output!.name,
    biases: names.filter((name) => name.endsWith(".bias") && /\.0\./.test(name)).length,
    critic: model.classifierName,
  };
}

const PLAIN = { softcap: null, windows: [null, null], biases: 0 };
const EMBEDDING = "model.embed_tokens.weight";

/** Properties of a model with given sizes and no other field. */
const DEFAULTS: Readonly<Record<string, ReturnType<typeof outline>>> = {
  llama: {
    ...PLAIN,
    ...{ kvHeads: 8, headDim: 4, scale: 0.5, rotated: [4, 4], context: 2048, output: "lm_head.weight" },
    critic: "LlamaForSequenceClassification",
  },
  mistral: {
    ...PLAIN,
    ...{ kvHeads: 8, headDim: 4, scale: 0.5, rotated: [4, 4], context: 131072, output: "lm_head.weight" },
    windows: [4096, 4096],
    critic: "MistralForSequenceClassification",
  },
  gemma: {
    ...PLAIN,
    ...{ kvHeads: 8, headDim: 256, scale: 1 / 16, rotated: [256, 256], context: 8192, output: EMBEDDING },
    critic: "GemmaForSequenceClassification",
  },
  gemma2: {
    ...{ kvHeads: 4, headDim: 256, scale: 1 / 16, softcap: 50, windows: [4096, null], rotated: [256, 256] },
    ...{ context: 8192, output: EMBEDDING, biases: 0, critic: "Gemma2ForSequenceClassification" },
  },
  gemma3_text: {
    ...{ kvHeads: 4, headDim: 256, scale: 1 / 16, softcap: null, windows: [4096, 4096] },
    ...{ rotated: [256, 256], context: 131072, output: EMBEDDING, biases: 0 },
    critic: "Gemma3TextForSequenceClassification",
  },
  phi3: {
    ...PLAIN,
    ...{ kvHeads: 8, headDim: 4, scale: 0.5, rotated: [4, 4], context: 4096, output: "lm_head.weight" },
    critic: "Phi3ForSequenceClassification",
  },
  gpt2: {
    ...PLAIN,
    ...{ kvHeads: 8, headDim: 4, scale: 0.5, rotated: [0, 0], context: 1024, biases: 6 },
    output: "transformer.wte.weight",
    critic: "GPT2ForSequenceClassification",
  },
  gpt_neox: {
    ...PLAIN,
    ...{ kvHeads: 8, headDim: 4, scale: 0.5, rotated: [2, 2], context: 2048, biases: 6 },
    output: "embed_out.weight",
    critic: "GPTNeoXForSequenceClassification",
  },
  olmo2: {
    ...PLAIN,
    ...{ kvHeads: 8, headDim: 4, scale: 0.5, rotated: [4, 4], context: 2048, output: "lm_head.weight" },
    critic: "Olmo2ForSequenceClassification",
  },
  smollm3: {
    ...PLAIN,
    ...{ kvHeads: 4, headDim: 4, scale: 0.5, rotated: [4, 4], context: 32768, output: EMBEDDING },
    critic: "SmolLM3ForSequenceClassification",
  },
};

for (const [type, expected] of Object.entries(DEFAULTS)) {
  const change = type === "gemma" ? { num_key_value_heads: 8 } : {}; // its default of 16 fits no 8 heads
  Deno.test(`${type}: absent fields have the defaults of transformers' config class`, () =>
    assertEquals(outline(family(type, change)), expected));
}

Deno.test("every family has a test of its defaults", () => {
  assertEquals([...Object.keys(DEFAULTS), "qwen2", "qwen3"].sort(), Object.keys(FAMILIES).sort());
});

Deno.test("qwen2 and qwen3: absent fields have the defaults of transformers' config classes", () => {
  const wide = { num_attention_heads: 32, hidden_size: 64 }; // 32 key heads by default
  const common = { ...PLAIN, kvHeads: 32, context: 32768, output: "lm_head.weight" };
  assertEquals(outline(family("qwen2", wide)), {
    ...common,
    ...{ headDim: 2, scale: 1 / Math.sqrt(2), rotated: [2, 2], biases: 3 },
    critic: "Qwen2ForSequenceClassification",
  });
  assertEquals(outline(family("qwen3", wide)), {
    ...common,
    ...{ headDim: 128, scale: 1 / Math.sqrt(128), rotated: [128, 128] },
    critic: "Qwen3ForSequenceClassification",
  });
});

const WINDOWS: readonly (readonly [string, Fields, (number | null)[]])[] = [
  ["mistral", { sliding_window: null }, [null, null]],
  ["qwen2", { num_key_value_heads: 8, sliding_window: 6 }, [null, null]],
  ["qwen2", { num_key_value_heads: 8, use_sliding_window: true, sliding_window: 6 }, [null, null]],
  [
    "qwen2",
    { num_key_value_heads: 8, use_sliding_window: true, sliding_window: 6, max_window_layers: 1 },
    [null, 6],
  ],
  [
    "qwen3",
    {
      ...{ num_key_value_heads: 8, use_sliding_window: true, sliding_window: 6 },
      layer_types: ["sliding_attention", "full_attention"],
    },
    [6, null],
  ],
  ["gemma2", { sliding_window: 6, num_hidden_layers: 3 }, [6, null, 6]],
  ["gemma2", { sliding_window: 6, layer_types: ["full_attention", "sliding_attention"] }, [null, 6]],
  ["gemma3_text", { sliding_window: 6, num_hidden_layers: 7 }, [6, 6, 6, 6, 6, null, 6]],
  ["gemma3_text", { sliding_window: 6, sliding_window_pattern: 2, num_hidden_layers: 3 }, [6, null, 6]],
  ["phi3", { sliding_window: 6 }, [6, 6]],
  ["smollm3", { sliding_window: 6 }, [null, null]],
  ["smollm3", { use_sliding_window: true, sliding_window: 6, no_rope_layers: [1, 0] }, [null, 6]],
  ["smollm3", { sliding_window: 6, layer_types: ["sliding_attention", "full_attention"] }, [6, null]],
];

for (const [type, change, windows] of WINDOWS) {
  Deno.test(`${type} has windows ${JSON.stringify(windows)} with ${JSON.stringify(change)}`, () =>
    assertEquals(family(type, change).blocks.map(({ attention }) => attention.window), windows));
}

Deno.test("gemma3_text: layers with a window have another rotation, with the field names of both versions", () => {
  const bases = (change: Fields) =>
    family("gemma3_text", { head_dim: 8, sliding_window_pattern: 2, ...change }).blocks
      .map(({ attention }) => Math.round(attention.rope!.frequencies[1]! ** -4));
  assertEquals(bases({}), [10000, 1000000]);
  assertEquals(bases({ rope_theta: 500, rope_local_base_freq: 20 }), [20, 500]);
  const rope_parameters = {
    full_attention: { rope_type: "default", rope_theta: 500 },
    sliding_attention: { rope_type: "default", rope_theta: 20 },
  };
  assertEquals(bases({ rope_parameters }), [20, 500]);
});

Deno.test("gpt2: second names of fields are read, and two names must have one value", () => {
  const json = {
    ...{ model_type: "gpt2", vocab_size: 40, hidden_size: 32, num_hidden_layers: 1 },
    ...{ num_attention_heads: 4, max_position_embeddings: 20 },
  };
  const model = modelFromConfig(json);
  assertEquals([model.hiddenSize, model.blocks.length, model.contextLength], [32, 1, 20]);
  assertEquals(
    rejection("gpt2", { hidden_size: 64, num_hidden_layers: 2 }),
    "config.json: hidden_size must equal n_embd (32), got 64",
  );
});

Deno.test("gpt2: scores may be unscaled, or scaled by layer: layers then differ", () => {
  const scales = (change: Fields) => family("gpt2", change).blocks.map(({ attention }) => attention.scale);
  assertEquals(scales({ scale_attn_weights: false }), [1, 1]);
  assertEquals(scales({ scale_attn_by_inverse_layer_idx: true }), [0.5, 0.25]);
  const kinds = (change: Fields) => new Set(family("gpt2", change).blocks.map(({ kind }) => kind)).size;
  assertEquals([kinds({}), kinds({ scale_attn_by_inverse_layer_idx: true })], [1, 2]);
});

Deno.test("gpt_neox: θ and the rotated share are read by the family's own names and those of transformers 5", () => {
  const rope = (change: Fields) =>
    family("gpt_neox", { hidden_size: 128, ...change }).blocks[0]!.attention.rope!;
  const theta = (change: Fields) =>
    Math.round(rope(change).frequencies[1]! ** -(rope(change).frequencies.length));
  assertEquals([rope({}).frequencies.length, theta({})], [2, 10000]);
  assertEquals([rope({ rotary_pct: 1 }).frequencies.length, theta({ rotary_emb_base: 81 })], [8, 81]);
  const rope_parameters = { rope_type: "default", rope_theta: 81, partial_rotary_factor: 0.5 };
  assertEquals([rope({ rope_parameters }).frequencies.length, theta({ rope_parameters })], [4, 81]);
  assertEquals(
    rejection("gpt_neox", { rope_theta: 500, partial_rotary_factor: 1 }),
    "config.json: rope_theta must equal rotary_emb_base (10000), got 500; " +
      "partial_rotary_factor must equal rotary_pct (0.25), got 1",
  );
});

const REJECTED: readonly (readonly [type: string, change: Fields, problem: string])[] = [
  ["mistral", { attention_bias: true }, "attention_bias must be false: its projections have no bias"],
  [
    "mistral",
    { layer_types: ["sliding_attention", "full_attention"] },
    "layer_types must all be sliding_attention: all layers of this family are equal, got full_attention",
  ],
  [
    "llama",
    { final_logit_softcapping: 30 },
    "final_logit_softcapping must be null: this family has no soft cap",
  ],
  [
    "llama",
    { layer_types: ["chunked_attention", "full_attention"] },
    "layer_types must all be full_attention: all layers of this family are equal, got chunked_attention",
  ],
  ["llama", { hidden_size: undefined }, 'missing field "hidden_size"'],
  ["gpt_neox", { num_key_value_heads: 2 }, "num_key_value_heads must be 8 in this family, got 2"],
  ["gpt_neox", { head_dim: 6 }, "head_dim must be 4 in this family, got 6"],
  [
    "qwen2",
    { num_key_value_heads: 8, layer_types: ["linear_attention", "full_attention"] },
    'layer_types.0 must be sliding_attention or full_attention, got "linear_attention"',
  ],
  [
    "qwen3",
    { num_key_value_heads: 8, layer_types: ["full_attention"] },
    "layer_types must have one entry per layer (2), got 1",
  ],
  [
    "qwen2",
    { num_key_value_heads: 8, layer_types: ["sliding_attention", "full_attention"] },
    "sliding_window must be a number: layers with sliding_attention need it",
  ],
  [
    "gemma",
    { num_key_value_heads: undefined },
    "num_key_value_heads must divide num_attention_heads (8), got 16",
  ],
  [
    "gemma2",
    { use_bidirectional_attention: true },
    "use_bidirectional_attention must be false: attention must be causal",
  ],
  [
    "gemma3_text",
    { attn_logit_softcapping: 50 },
    "attn_logit_softcapping must be null: Gemma 3 has no soft cap on attention",
  ],
  ["phi3", { lm_head_bias: true }, "lm_head_bias must be false: its output has no bias"],
  [
    "phi3",
    { rope_scaling: { type: "linear", factor: 2 } },
    'rope_scaling must be of type longrope (formerly su or yarn), got "linear"',
  ],
  ["phi3", { head_dim: 5 }, "head_dim must be even for rotary embedding, got 5"],
  [
    "gpt2",
    { add_cross_attention: true },
    "add_cross_attention must be false: there is no encoder to attend to",
  ],
  ["gpt2", { n_head: 5 }, "n_head must divide n_embd (32), got 5"],
  [
    "gpt_neox",
    { sliding_window: 8 },
    "sliding_window must be null: this family attends to the whole context, got 8",
  ],
  [
    "olmo2",
    { partial_rotary_factor: 0.5 },
    "partial_rotary_factor must be 1: this family rotates whole heads",
  ],
  ["smollm3", { no_rope_layers: [1] }, "no_rope_layers must have one entry per layer (2), got 1"],
];

for (const [type, change, problem] of REJECTED) {
  Deno.test(`${type} rejects ${JSON.stringify(change)}`, () => {
    assertEquals(rejection(type, change), `config.json: ${problem}`);
  });
}

Deno.test("an unsupported activation is reported with the field name of the family", () => {
  for (
    const [type, field] of [
      ["gpt2", "activation_function"],
      ["gemma2", "hidden_activation"],
      ["gemma3_text", "hidden_activation"],
      ["gpt_neox", "hidden_act"],
    ] as const
  ) {
    const message = rejection(type, { [field]: "softsign" });
    assert(message.startsWith(`config.json: ${field} must be one of silu, `), message);
  }
});

Deno.test("experts, sinks, quantized weights and foreign code are rejected; empty fields and own code are accepted", () => {
  assertEquals(
    rejection("qwen3", { num_experts: 8, attention_sinks: 4, quantization_config: { bits: 4 } }),
    "config.json: these fields are not supported: quantization_config, num_experts, attention_sinks",
  );
  assertEquals(
    rejection("llama", { auto_map: { AutoModelForCausalLM: "modeling_other.OtherForCausalLM" } }),
    "config.json: these fields are not supported: auto_map",
  );
  family("gpt2", { pruned_heads: {} });
  family("llama", { sliding_window: 2048, layer_types: ["full_attention", "full_attention"] });
  family("gpt_neox", { num_key_value_heads: 8, head_dim: 4 });
  family("phi3", {
    auto_map: {
      AutoConfig: "configuration_phi3.Phi3Config",
      AutoModelForCausalLM: "microsoft/Phi-3-mini-4k-instruct--modeling_phi3.Phi3ForCausalLM",
      AutoTokenizer: "Xenova/gpt-4o",
    },
  });
});

/** Configs: error messages with every invalid field, and defaults. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { modelFromConfig, readConfig } from "@/lib/model/models/config.ts";
import { FAMILIES } from "@/lib/model/models/families.ts";
import { parametersOf } from "@/lib/model/models/model.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const CONFIG = {
  model_type: "llama",
  architectures: ["LlamaForCausalLM"],
  vocab_size: 40,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
};

/** Returns the error message for a config with some fields changed. */
function rejection(change: Record<string, unknown>): string {
  return assertThrows(() => modelFromConfig({ ...CONFIG, ...change }), DataError).message;
}

Deno.test("an unknown family is rejected with the supported ones", () => {
  for (const type of ["gpt9", null, 3, "constructor", "__proto__"]) {
    assertEquals(
      rejection({ model_type: type }),
      `config.json: model_type must be one of ${Object.keys(FAMILIES).join(", ")}, got ${
        JSON.stringify(type)
      }`,
    );
  }
  assertEquals(rejection({ model_type: undefined }), 'config.json: missing field "model_type"');
});

Deno.test("unsupported fields that would change the arithmetic are listed", () => {
  assertEquals(
    rejection({ quantization_config: { bits: 4 }, auto_map: { AutoModel: "x.py" }, pruned_heads: null }),
    "config.json: these fields are not supported: quantization_config, auto_map",
  );
});

Deno.test("all invalid fields are listed at once", () => {
  const message = rejection({
    hidden_size: -16,
    num_hidden_layers: 1.5,
    vocab_size: "40",
    rms_norm_eps: -1,
    tie_word_embeddings: "yes",
  });
  assertEquals(message.startsWith("config.json: "), true);
  const fields = message.replace("config.json: ", "").split("; ").map((issue) => issue.split(": ")[0]).sort();
  assertEquals(fields, [
    "hidden_size",
    "num_hidden_layers",
    "rms_norm_eps",
    "tie_word_embeddings",
    "vocab_size",
  ]);
});

Deno.test("numbers of heads that do not divide are rejected", () => {
  assertEquals(
    rejection({ num_key_value_heads: 3 }),
    "config.json: num_key_value_heads must divide num_attention_heads (4), got 3",
  );
  assertEquals(
    rejection({ hidden_size: 18 }),
    "config.json: hidden_size must be a multiple of num_attention_heads (4) without head_dim, got 18",
  );
  assertEquals(
    rejection({ head_dim: 5 }),
    "config.json: head_dim must be even for rotary embedding, got 5",
  );
});

Deno.test("an unknown activation or rope scaling is rejected with the supported ones", () => {
  assertEquals(
    rejection({ hidden_act: "softsign" }),
    "config.json: hidden_act must be one of silu, swish, gelu, gelu_python, gelu_new, gelu_fast, " +
      "gelu_accurate, gelu_pytorch_tanh, gelu_python_tanh, quick_gelu, relu, relu2, sigmoid, tanh, " +
      'got "softsign"',
  );
  assertEquals(
    rejection({ rope_scaling: { rope_type: "llama3", factor: 8, low_freq_factor: "1" } }),
    'config.json: rope_scaling of type "llama3" must have a positive number "low_freq_factor", got "1"',
  );
  assertEquals(
    rejection({ rope_scaling: { type: "spiral" } }),
    "config.json: the type of rope_scaling must be one of default, linear, dynamic, yarn, longrope, llama3, " +
      'got "spiral"',
  );
});

Deno.test("a file that is missing, not JSON or not an object is rejected with its path", () => {
  using directory = new TemporaryDirectory();
  const messageOf = () => assertThrows(() => readConfig(directory.path), DataError).message;
  const messages = [messageOf()];
  for (const text of ["{ broken", "[1]"]) {
    directory.write("config.json", text);
    messages.push(messageOf());
  }
  for (const message of messages) {
    assertEquals(message.includes(directory.file("config.json")), true, message);
  }
  assertEquals(new Set(messages).size, 3);
});

Deno.test("absent fields have the defaults of transformers' LlamaConfig", () => {
  const { num_key_value_heads: _, ...rest } = CONFIG;
  const model = modelFromConfig(rest);
  assertEquals(model.blocks[0]!.attention.kvHeads, 4);
  assertEquals(model.blocks[0]!.attention.headDim, 4);
  assertEquals(model.contextLength, 2048);
  assertEquals(model.head.output!.name, "lm_head.weight");
  assertEquals(model.blocks[0]!.attention.rope!.frequencies[1], 10000 ** -0.5);
});

Deno.test("head_dim may differ from hidden_size / heads, and biases add their parameters", () => {
  const shapes = (change: Record<string, unknown>) =>
    Object.fromEntries(
      parametersOf(modelFromConfig({ ...CONFIG, num_hidden_layers: 1, ...change })).map(({ name, shape }) => [
        name.replace("model.layers.0.", ""),
        [...shape],
      ]),
    );
  const wide = shapes({ head_dim: 6 });
  assertEquals(wide["self_attn.q_proj.weight"], [24, 16]);
  assertEquals(wide["self_attn.k_proj.weight"], [12, 16]);
  assertEquals(wide["self_attn.o_proj.weight"], [16, 24]);
  const plain = Object.keys(shapes({}));
  const added = (change: Record<string, unknown>) =>
    Object.keys(shapes(change)).filter((n) => !plain.includes(n));
  assertEquals(
    added({ attention_bias: true }),
    ["q", "k", "v", "o"].map((projection) => `self_attn.${projection}_proj.bias`),
  );
  assertEquals(added({ mlp_bias: true }), ["gate", "up", "down"].map((name) => `mlp.${name}_proj.bias`));
  assertEquals(plain.filter((name) => !(name in shapes({ tie_word_embeddings: true }))), ["lm_head.weight"]);
});

Deno.test("a sequence classifier is a critic", () => {
  const critic = modelFromConfig({ ...CONFIG, architectures: ["LlamaForSequenceClassification"] });
  assertEquals([critic.headKind, critic.head.output!.name, [...critic.head.output!.shape]], [
    "score",
    "score.weight",
    [1, 16],
  ]);
});

Deno.test("bug: config.json with a key twice was read; the strict reader rejects it by name", () => {
  using directory = new TemporaryDirectory();
  directory.write("config.json", '{"model_type": "llama", "hidden_size": 16, "hidden_size": 32}');
  const { message } = assertThrows(() => readConfig(directory.path), DataError);
  assertEquals(message.includes(directory.file("config.json")), true, message);
  assertEquals(message.includes("hidden_size"), true, message);
});

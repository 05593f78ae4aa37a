/** Configs: what is refused, with every field that is wrong, and what defaults mean. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { modelFromConfig, readConfig } from "@/lib/models/config.ts";
import { parametersOf } from "@/lib/models/model.ts";
import { DataError } from "@/lib/tensor/errors.ts";
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

/** The message that a config with some fields changed is refused with. */
function refusal(change: Record<string, unknown>): string {
  return assertThrows(() => modelFromConfig({ ...CONFIG, ...change }), DataError).message;
}

Deno.test("a family that is not known is refused", () => {
  for (const type of ["gpt9", undefined, null, 3, "constructor", "__proto__"]) {
    const message = refusal({ model_type: type });
    assertEquals(message.startsWith("Cannot read config.json as model_type must be one of "), true, message);
    assertEquals(message.endsWith(`: it is ${JSON.stringify(type)}`), true, message);
  }
});

Deno.test("fields that would change the arithmetic and are not supported are listed", () => {
  assertEquals(
    refusal({ quantization_config: { bits: 4 }, auto_map: { AutoModel: "x.py" }, pruned_heads: null }),
    "Cannot read config.json as these fields are not supported: quantization_config, auto_map",
  );
});

Deno.test("all fields that are wrong are named at once", () => {
  const message = refusal({
    hidden_size: -16,
    num_hidden_layers: 1.5,
    vocab_size: "40",
    rms_norm_eps: -1,
    tie_word_embeddings: "yes",
  });
  assertEquals(message.startsWith("Cannot read config.json as it must describe a model: "), true);
  const fields = message.split(": ").slice(1).join(": ").split("; ").map((issue) => issue.split(": ")[0])
    .sort();
  assertEquals(fields, [
    "hidden_size",
    "num_hidden_layers",
    "rms_norm_eps",
    "tie_word_embeddings",
    "vocab_size",
  ]);
});

Deno.test("heads that do not fit are refused", () => {
  const describe = "Cannot read config.json as it must describe a model: ";
  assertEquals(
    refusal({ num_key_value_heads: 3 }),
    `${describe}num_key_value_heads: must divide num_attention_heads 4: 3`,
  );
  assertEquals(
    refusal({ hidden_size: 18 }),
    `${describe}num_attention_heads: must divide hidden_size 18 without head_dim`,
  );
  assertEquals(refusal({ head_dim: 5 }), `${describe}head_dim: must be even for rotary embedding: 5`);
});

Deno.test("an activation or a rope scaling that is not known is refused with those that are", () => {
  assertEquals(
    refusal({ hidden_act: "softsign" }),
    "Cannot read the config as hidden_act must be one of silu, swish, gelu, gelu_python, gelu_new, gelu_fast, " +
      "gelu_accurate, gelu_pytorch_tanh, gelu_python_tanh, quick_gelu, relu, relu2, sigmoid, tanh: " +
      'it is "softsign"',
  );
  assertEquals(
    refusal({ rope_scaling: { rope_type: "llama3", factor: 8, low_freq_factor: "1" } }),
    'Cannot read rope_scaling as "llama3" needs a positive number "low_freq_factor": it is "1"',
  );
  const unknown = refusal({ rope_scaling: { type: "spiral" } });
  assertEquals(unknown.startsWith("Cannot read rope_scaling as its type must be one of "), true, unknown);
  assertEquals(unknown.endsWith(': it is "spiral"'), true, unknown);
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

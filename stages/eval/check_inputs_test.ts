/** Tests that all models and rows that do not fit are listed in one message. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { modelFromConfig } from "@/lib/model/models/config.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { checkInputs } from "./check_inputs.ts";

function model(context: number, vocabulary: number) {
  const sizes = { hidden_size: 8, intermediate_size: 8, num_hidden_layers: 1, num_attention_heads: 2 };
  return modelFromConfig({
    model_type: "llama",
    ...sizes,
    max_position_embeddings: context,
    vocab_size: vocabulary,
  });
}

Deno.test("checkInputs() lists rows with the model that each does not fit", () => {
  const prompt = (id: string, promptIds: number[]) => ({
    id,
    promptIds: Int32Array.from(promptIds),
    meta: "{}",
  });
  const row = (id: string, ids: number[]) => ({
    id,
    inputIds: Int32Array.from(ids),
    lossMask: new Uint8Array(ids.length),
    source: "",
  });
  const error = assertThrows(
    () =>
      checkInputs({
        models: { wide: model(8, 20), long: model(32, 10) },
        prompts: [prompt("a", [1, 2, 3]), prompt("a", [1]), prompt("b", [12])],
        promptsPath: "p.arrow",
        validation: [row("v", [1, 2, 3, 4, 5, 6, 7, 8, 9]), row("w", [10])],
        maxNewTokens: 6,
      }),
    DataError,
  );
  assertEquals(
    error.message,
    'p.arrow is incompatible with the models: prompt "a" has 3 tokens and 6 new tokens, more than the context of wide (8); ' +
      'prompt "a" occurs twice; prompt "b" has id 12, beyond the vocabulary of long (10); demonstration "v" has 9 tokens, ' +
      'more than the context of wide (8); demonstration "w" has id 10, beyond the vocabulary of long (10)',
  );
});

/** A chat template's turn end is an end token. @module */
import { assertEquals } from "@std/assert";
import { loadSpecialIds } from "./load_special_ids.ts";
import { loadTokenizer } from "./tokenizer.ts";

const GOLDENS = "fixtures/goldens/chat_templates";

for (
  const [name, ends] of [
    ["chatml", ["<|im_end|>"]],
    ["gemma", ["<eos>", "<end_of_turn>"]],
    ["llama2", ["</s>"]],
    ["llama3", ["<|eot_id|>"]],
    ["mistral", ["</s>"]],
    ["phi3", ["<|endoftext|>", "<|end|>"]],
    ["qwen", ["<|im_end|>"]],
    ["zephyr", ["</s>"]],
  ] as const
) {
  Deno.test(`responses of ${name} end with ${ends.join(" or ")}`, () => {
    const tokenizer = loadTokenizer(`${GOLDENS}/${name}`);
    assertEquals(tokenizer.eosIds.map((id) => tokenizer.decode([id])), [...ends]);
    assertEquals(loadSpecialIds(`${GOLDENS}/${name}`).eosIds, tokenizer.eosIds);
  });
}

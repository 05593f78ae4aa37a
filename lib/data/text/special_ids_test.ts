/** Tests the order in which four files define the special tokens. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { specialIds } from "./special_ids.ts";

const ids = new Map([["<s>", 1], ["</s>", 2], ["<pad>", 3], ["<eot>", 4]]);
const idOf = (token: string): number | undefined => ids.get(token);

Deno.test("specialIds() takes EOS from generation_config.json, one id or a list, before config.json", () => {
  const generationConfig = { eos_token_id: [2, 4] };
  const config = { eos_token_id: 3 };
  assertEquals(specialIds({ dir: "m", generationConfig, config }, idOf, 5).eosIds, [2, 4]);
  assertEquals(specialIds({ dir: "m", generationConfig: { eos_token_id: 4 }, config }, idOf, 5).eosIds, [4]);
  assertEquals(specialIds({ dir: "m", generationConfig: { eos_token_id: null }, config }, idOf, 5).eosIds, [
    3,
  ]);
});

Deno.test("specialIds() puts the tokenizer's own EOS token first among several", () => {
  const files = {
    dir: "m",
    generationConfig: { eos_token_id: [2, 4] },
    tokenizerConfig: { eos_token: { content: "<eot>" } },
  };
  assertEquals(specialIds(files, idOf, 5).eosIds, [4, 2]);
});

Deno.test("specialIds() falls back to the tokenizer's EOS token when no config names an id", () => {
  assertEquals(specialIds({ dir: "m", tokenizerConfig: { eos_token: "</s>" } }, idOf, 5).eosIds, [2]);
  assertEquals(specialIds({ dir: "m", specialTokensMap: { eos_token: "</s>" } }, idOf, 5).eosIds, [2]);
  assertEquals(specialIds({ dir: "m" }, idOf, 5).eosIds, []);
});

Deno.test("specialIds() takes an explicit null BOS at its word, whatever config.json says", () => {
  const config = { bos_token_id: 1, pad_token_id: 3 };
  assertEquals(specialIds({ dir: "m", tokenizerConfig: { bos_token: null }, config }, idOf, 5).bosId, null);
  assertEquals(specialIds({ dir: "m", tokenizerConfig: {}, config }, idOf, 5), {
    bosId: 1,
    padId: 3,
    eosIds: [],
  });
});

Deno.test("specialIds() lists every entry with an unknown token", () => {
  const files = {
    dir: "m",
    tokenizerConfig: { bos_token: "<bos>", pad_token: 7 },
    generationConfig: { eos_token_id: [2, 99] },
  };
  const error = assertThrows(() => specialIds(files, idOf, 5), DataError);
  assertEquals(
    error.message,
    'm: invalid special tokens: "bos_token" of tokenizer_config.json must be a token of the vocabulary, got "<bos>"; ' +
      '"pad_token" of tokenizer_config.json must be a token of the vocabulary, got 7; ' +
      '"eos_token_id" of generation_config.json must hold ids from 0 to 4, got [2,99]',
  );
});

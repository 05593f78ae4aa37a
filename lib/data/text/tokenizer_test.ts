/** Tokenizers against golden files of the Rust library, and against our own rules. @module */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { readJsonObject } from "@/lib/data/files/json.ts";
import { isJsonObject } from "@/lib/data/files/strict_json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { compareCases, type TokenizerCases } from "@/tests/goldens/checks/golden_cases.ts";
import { readJsonIfThere } from "./tokenizer_file.ts";
import { loadTokenizer, type Tokenizer, tokenizerOf } from "./tokenizer.ts";

const GOLDENS = "fixtures/goldens/tokenizers";

function golden(name: string): { readonly tokenizer: Tokenizer; readonly cases: TokenizerCases } {
  const file = `${GOLDENS}/${name}/tokenizer.json`;
  const tokenizer = tokenizerOf(readJsonObject(file), {
    file,
    digest: "",
    files: { dir: `${GOLDENS}/${name}` },
  });
  return { tokenizer, cases: JSON.parse(Deno.readTextFileSync(`${GOLDENS}/${name}/cases.json`)) };
}

for (
  const name of [
    "stories260k",
    "bpe_llama2",
    "bpe_llama3",
    "bpe_gpt2_digits",
    "bpe_nfkc_lower",
    "unigram_bytefallback",
    "unigram_plain",
    "wordpiece_bert",
  ]
) {
  Deno.test(`${name} gives the ids and the texts of the Rust library`, async () => {
    const { tokenizer, cases } = golden(name);
    assertEquals(cases.cases.length > 80 && cases.decode.length > 10, true);
    assertEquals(await compareCases(tokenizer, cases), []);
  });
}

for (const name of ["bpe_llama3", "bpe_gpt2_digits"]) {
  Deno.test(`${name} treats white space and words as Unicode does, not as JavaScript`, async () => {
    const cases: TokenizerCases = JSON.parse(Deno.readTextFileSync(`${GOLDENS}/${name}/white_space.json`));
    assertEquals(cases.cases.length, 19);
    assertEquals(await compareCases(golden(name).tokenizer, cases), []);
  });
}

Deno.test("compareCases() finds a changed id and a changed text", async () => {
  const { tokenizer, cases } = golden("stories260k");
  const [first] = cases.cases;
  const changed = { cases: [{ ...first!, ids: [1, 3], decoded_without_special: "x" }], decode: [] };
  const fields = (await compareCases(tokenizer, changed)).map((difference) => difference.field);
  assertEquals(fields, ["ids", "decoded", "decoded_skip_special", "decoded_without_special"]);
});

Deno.test("loadTokenizer() finds the special tokens, the template and the digest of stories260k", () => {
  const { bosId, eosIds, padId, prefixIds, suffixIds, vocabSize, digest } = loadTokenizer(
    "fixtures/stories260k",
  );
  assertEquals({ bosId, eosIds, padId, prefixIds, suffixIds, vocabSize, digest }, {
    bosId: 1,
    eosIds: [2],
    padId: null,
    prefixIds: [1],
    suffixIds: [],
    vocabSize: 512,
    digest: "122d22ca558413499eac24a0a4373c6ac76528aa97bd1f1a6a889214df0b254b",
  });
});

Deno.test("a template that writes an end token has it as suffix", () => {
  const { tokenizer } = golden("bpe_nfkc_lower");
  assertEquals([tokenizer.prefixIds, tokenizer.suffixIds], [[1], [2]]);
});

Deno.test("decode() returns the text given to encode(), for any text that byte fallback can spell", async () => {
  const tokenizer = loadTokenizer("fixtures/stories260k");
  // U+2581 is the tokenizer's own spelling of a space; special tokens written out become ids that skipSpecial drops
  const text = fc.string({ unit: "binary", maxLength: 40 }).filter((s) =>
    !/[\u2581<]/u.test(s) && s.isWellFormed()
  );
  await fc.assert(
    fc.asyncProperty(text, async (s) => {
      assertEquals(tokenizer.decode(await tokenizer.encode(s), { skipSpecial: true }), s);
    }),
    { seed: 7 },
  );
});

Deno.test("decode() skips ids beyond the vocabulary, which pad an embedding", async () => {
  const tokenizer = loadTokenizer("fixtures/stories260k");
  const ids = await tokenizer.encode("A dog.");
  assertEquals(tokenizer.decode([...ids, 512, 600, -1], { skipSpecial: true }), "A dog.");
  assertEquals(tokenizer.decode([]), "");
});

Deno.test("special tokens that are written in a text become their ids, with and without the template", async () => {
  const tokenizer = loadTokenizer("fixtures/stories260k");
  assertEquals([...await tokenizer.encode("<s></s>")], [1, 1, 2]);
  assertEquals([...await tokenizer.encode("<s></s>", { special: false })], [1, 2]);
});

/** Loads the small tokenizer of stories260k after `change` has edited a copy of its JSON. */
function loadChanged(
  change: (spec: Record<string, unknown>, model: Record<string, unknown>) => void,
): Tokenizer {
  const spec = readJsonObject("fixtures/stories260k/tokenizer.json");
  if (!isJsonObject(spec.model)) throw new TypeError("no model");
  change(spec, spec.model);
  return tokenizerOf(spec, { file: "t.json", digest: "", files: { dir: "." } });
}

Deno.test("tokenizerOf() refuses an inconsistent tokenizer and lists the problems", () => {
  const refusals: [string, Parameters<typeof loadChanged>[0]][] = [
    [
      `"model.type" must be one of BPE, Unigram, WordPiece, WordLevel, got "BPEv9"`,
      (_, model) => model.type = "BPEv9",
    ],
    [`"model.vocab" must be an object of tokens and ids, got nothing`, (_, model) => delete model.vocab],
    [
      `the id of "x" must be an integer of at least 0, got -3; the id of "y" must be an integer of at least 0, got 0.5`,
      (
        _,
        model,
      ) => model.vocab = { x: -3, y: 0.5 },
    ],
    [`"added_tokens" must be a list, got nothing`, (spec) => delete spec.added_tokens],
    [
      `id 5 must belong to one token, got "<0x02>" and "<two>"`,
      (spec) => spec.added_tokens = [{ id: 5, content: "<two>" }],
    ],
    [
      `added token "<s>" must have its id 1 of the vocabulary, got 512`,
      (spec) => spec.added_tokens = [{ id: 512, content: "<s>" }],
    ],
    [
      `the 513 tokens must have the ids 0 to 512, got no token for 512`,
      (spec) => spec.added_tokens = [{ id: 600, content: "<far>" }],
    ],
    [
      `"model.merges[0]" must name tokens of the vocabulary, got "zz", "qq", "zzqq"`,
      (_, model) => model.merges = ["zz qq"],
    ],
    [`"model.merges[0]" must name two tokens, got "a b c"`, (_, model) => model.merges = ["a b c"]],
  ];
  for (const [problem, change] of refusals) {
    const error = assertThrows(() => loadChanged(change), DataError);
    assertEquals(error.message, `t.json: invalid tokenizer: ${problem}`);
  }
});

Deno.test("tokenizerOf() refuses parts unknown to the Rust library, by their names", () => {
  const error = assertThrows(
    () =>
      loadChanged((spec) => {
        spec.pre_tokenizer = {
          type: "Sequence",
          pretokenizers: [{ type: "Digits" }, { type: "SplitByMoonPhase" }],
        };
        spec.decoder = "ByteLevel";
      }),
    DataError,
  );
  assertEquals(
    error.message,
    't.json: invalid tokenizer: "pre_tokenizer[1].type" must be one of BertPreTokenizer, ' +
      "ByteLevel, CharDelimiterSplit, Metaspace, Whitespace, Sequence, Split, Punctuation, WhitespaceSplit, Digits, " +
      'UnicodeScripts, FixedLength, got "SplitByMoonPhase"; "decoder" must be an object or null, got "ByteLevel"',
  );
  const split = { type: "Split", pattern: { Regex: "(unclosed" }, behavior: "Isolated", invert: false };
  const regex = assertThrows(() => loadChanged((spec) => spec.pre_tokenizer = split), DataError);
  assertEquals(
    regex.message.split(" at line ")[0],
    "t.json: invalid tokenizer: Oniguruma error: end pattern with unmatched parenthesis",
  );
});

Deno.test("loadTokenizer() names the missing tokenizer.json", () => {
  const error = assertThrows(() => loadTokenizer("fixtures/quickstart"), DataError);
  assertEquals(
    error.message,
    "Cannot read fixtures/quickstart/tokenizer.json: no such file or directory",
  );
});

Deno.test("readJsonIfThere() returns undefined for a missing file and refuses an invalid one", async () => {
  const dir = await Deno.makeTempDir();
  try {
    assertEquals(readJsonIfThere(dir, "x.json"), undefined);
    await Deno.writeTextFile(`${dir}/x.json`, '{"a": 1, "a": 2}');
    const error = assertThrows(() => readJsonIfThere(dir, "x.json"), DataError);
    assertEquals(error.message, `${dir}/x.json must be valid JSON: Duplicate key "a" in an object`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

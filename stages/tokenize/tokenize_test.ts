/** The stage's function without files: splits, masks, derived prompts, refusals. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import type { UserRow } from "@/lib/data/demonstrations/user_rows.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { quantilesOf } from "./report.ts";
import { type TokenizeSettings } from "./token_sets.ts";
import { tokenize, type TokenizeInput } from "./tokenize.ts";

const tokenizer = loadTokenizer("fixtures/stories260k");

function settings(
  params: Partial<TokenizeSettings["params"]> = {},
  limits: Partial<TokenizeSettings> = {},
): TokenizeSettings {
  const base = { boundary: "error", truncation: "error", validation_fraction: 0 } as const;
  return { maxLength: 64, maxPromptLength: 63, seed: 3, ...limits, params: { ...base, ...params } };
}

/** Returns a row with `prompt` as in a JSON Lines file. */
function promptRow(
  id: string,
  line: number,
  prompt: string,
  meta: Readonly<Record<string, unknown>> = {},
): UserRow {
  const content = { kind: "chat", messages: [{ role: "user", content: prompt }] } as const;
  return { id, line, at: `line ${line}`, place: `${line}`, content, meta };
}

function demonstrations(
  rows: readonly { readonly prompt: string; readonly response?: string }[],
): TokenizeInput {
  const full = rows.map(({ prompt, response = " Yes." }, k): UserRow => ({
    ...promptRow(`d${k}`, k + 1, prompt, { k }),
    content: {
      kind: "chat",
      messages: [{ role: "user", content: prompt }, { role: "assistant", content: response }],
    },
  }));
  return { demonstrations: { file: "d.jsonl", rows: full } };
}

Deno.test("train and validation are disjoint by prompt, complete, and the same for any order of the rows", async () => {
  const prompt = fc.integer({ min: 0, max: 30 }).map((k) => `Question ${k}.`);
  const rows = fc.array(fc.record({ prompt }), { minLength: 24, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(rows, fc.nat(), async (given, seed) => {
      const prompts = new Set(given.map((row) => row.prompt));
      if (prompts.size < 10) return;
      const halves = async (
        order: readonly { readonly prompt: string }[],
      ): Promise<Set<string>[] | undefined> => {
        try {
          const result = await tokenize(
            tokenizer,
            demonstrations(order),
            settings({ validation_fraction: 0.4 }, { seed }),
          );
          assertEquals(result.train!.samples.length + result.validation!.samples.length, order.length);
          return [result.train!, result.validation!].map((set) =>
            new Set(set.samples.map((sample) => sample.prompt))
          );
        } catch (error) {
          if (error instanceof DataError) return undefined; // one half empty: refused, for every order
          throw error;
        }
      };
      const split = await halves(given);
      assertEquals(await halves(given.toReversed()), split);
      if (split === undefined) return;
      assertEquals(split[0]!.isDisjointFrom(split[1]!), true);
      assertEquals(split[0]!.union(split[1]!), prompts);
    }),
    { seed: 41, numRuns: 30 },
  );
});

Deno.test("the mask is 0 on the whole prompt and 1 on the whole response with its end", async () => {
  const response = fc.array(fc.constantFrom(" a", " cat", ".", " Lucy"), { minLength: 1, maxLength: 9 }).map((
    w,
  ) => w.join(""));
  await fc.assert(
    fc.asyncProperty(response, async (text) => {
      const input = demonstrations([{ prompt: "She had a book.", response: text }]);
      const { row, promptIds, responseIds } = (await tokenize(tokenizer, input, settings())).train!
        .samples[0]!;
      assertEquals(row.lossMask.length, row.inputIds.length);
      assertEquals(
        [...row.lossMask].map((mask, k) => mask === 1 ? row.inputIds[k]! : -1).filter((id) => id >= 0),
        [...responseIds],
      );
      assertEquals([...row.inputIds.subarray(0, promptIds.length)], [...promptIds]);
      assertEquals(row.inputIds.at(-1), 2);
    }),
    { seed: 43 },
  );
});

Deno.test("without prompts, each prompt of the demonstrations is used once, with the fields of its first demonstration", async () => {
  const input = demonstrations([{ prompt: "A?" }, { prompt: "B?" }, { prompt: "A?", response: " No." }]);
  const { prompts, evalPrompts } = await tokenize(tokenizer, input, settings());
  assertEquals(prompts!.rows.map(({ id, meta }) => [id, meta]), [["d0", '{"k":0}'], ["d1", '{"k":1}']]);
  assertEquals([...prompts!.rows[0]!.promptIds], [...await tokenizer.encode("A?")]);
  assertEquals(evalPrompts, undefined);
});

Deno.test("evaluation prompts of the validation split have the demonstrated response for a checker", async () => {
  const input = demonstrations(Array.from({ length: 20 }, (_, k) => ({ prompt: `Q${k}?` })));
  const { validation, evalPrompts } = await tokenize(
    tokenizer,
    input,
    settings({ validation_fraction: 0.5 }),
  );
  assertEquals(evalPrompts!.rows.map(({ id }) => id), validation!.samples.map(({ id }) => id));
  assertEquals(JSON.parse(evalPrompts!.rows[0]!.meta).response, " Yes.");
});

Deno.test("validation_fraction null holds out at least one prompt unless there are evaluation prompts", async () => {
  const input = demonstrations(Array.from({ length: 6 }, (_, k) => ({ prompt: `Q${k}?` })));
  const held = await tokenize(tokenizer, input, settings({ validation_fraction: null }));
  assertEquals([held.train!.samples.length, held.validation!.samples.length], [5, 1]);
  assertEquals(held.evalPrompts!.rows.map(({ id }) => id), [held.validation!.samples[0]!.id]);
  const evalPrompts = { file: "e.jsonl", rows: [promptRow("e", 1, "Q?")] };
  const all = await tokenize(tokenizer, { ...input, evalPrompts }, settings({ validation_fraction: null }));
  assertEquals([all.train!.samples.length, all.validation], [6, undefined]);
});

Deno.test("20 prompts are enough for a validation split of 0.05, with every seed", async () => {
  const input = demonstrations(Array.from({ length: 20 }, (_, k) => ({ prompt: `Q${k}?` })));
  for (let seed = 0; seed < 20; seed++) {
    const { train, validation } = await tokenize(
      tokenizer,
      input,
      settings({ validation_fraction: 0.05 }, { seed }),
    );
    const [kept, held] = [train!.samples.length, validation!.samples.length];
    assert(held >= 1 && kept >= 15 && kept + held === 20, `seed ${seed}: ${kept} and ${held}`);
  }
});

Deno.test("given prompts are kept with repetitions and all their fields", async () => {
  const rows = ["a", "b"].map((id, k) => promptRow(id, k + 1, "Same.", { words: [id] }));
  const { prompts, train } = await tokenize(tokenizer, { prompts: { file: "p.jsonl", rows } }, settings());
  assertEquals(prompts!.rows.map(({ meta }) => meta), ['{"words":["a"]}', '{"words":["b"]}']);
  assertEquals(train, undefined);
});

const refusals: readonly (readonly [string, TokenizeInput, TokenizeSettings, string])[] = [
  [
    "rows that are too long",
    demonstrations([{ prompt: "A?" }, { prompt: "A?", response: " cat".repeat(50) }, {
      prompt: "b".repeat(5000),
    }]),
    settings(),
    "d.jsonl: prompt, response and end must have at most 64 tokens (or use --truncation drop, left or right), " +
    "got 2 bad rows: line 2 (105 tokens), line 3 (far too long)",
  ],
  [
    "prompts that are too long",
    { prompts: { file: "p.jsonl", rows: [promptRow("a", 4, "cat ".repeat(40))] } },
    settings(),
    "p.jsonl: a prompt must have at most 63 tokens (or use --truncation drop or left), got 1 bad row: line 4 (82 tokens)",
  ],
  [
    "an end token inside a response, a token shared with the prompt",
    demonstrations([{ prompt: "A?", response: " a</s> b" }, { prompt: "Once upon a ti", response: "me" }]),
    settings(),
    "d.jsonl: a response must begin with its own token (or use --boundary split) and have no end token except at its end, " +
    'got 2 bad rows: line 1 (end token "</s>" inside the response), line 2 (token "time" spans prompt and response)',
  ],
  [
    "a set without any row that fits",
    demonstrations([{ prompt: "A?", response: " cat".repeat(50) }]),
    settings({ truncation: "drop" }),
    "d.jsonl: the train set must not be empty, got no rows (1 dropped as too long)",
  ],
  [
    "a validation split of one prompt",
    demonstrations([{ prompt: "A?" }, { prompt: "A?", response: " No." }]),
    settings({ validation_fraction: 1e-9 }),
    "d.jsonl: a validation split requires demonstrations of at least 2 prompts, got 1 (validation_fraction=0 holds out none)",
  ],
  [
    "prompts that are all dropped",
    { prompts: { file: "p.jsonl", rows: [promptRow("a", 1, "cat ".repeat(40))] } },
    settings({ truncation: "right" }),
    "p.jsonl: at least one prompt must be within the length limit, got 1 that are too long",
  ],
];

for (const [what, input, options, message] of refusals) {
  Deno.test(`tokenize() refuses ${what}`, async () => {
    const error = await assertRejects(() => tokenize(tokenizer, input, options), DataError);
    assertEquals(error.message, message);
  });
}

Deno.test("quantilesOf() returns some of the values", () => {
  const { min, p50, p90, max } = quantilesOf([5, 1, 2, 3, 4, 9, 8, 7, 6, 10]);
  assertEquals([min, p50, p90, max], [1, 5, 9, 10]);
});

/** Tests what is set aside: demonstrations for an audit, evaluation prompts for decisions inside loops. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { UserRow } from "@/lib/data/demonstrations/user_rows.ts";
import { loadTokenizer } from "@/lib/data/text/tokenizer.ts";
import { keysSetAside } from "./split.ts";
import type { TokenizeSettings } from "./token_sets.ts";
import { tokenize, type Tokenized, type TokenizeInput } from "./tokenize.ts";

const tokenizer = loadTokenizer("fixtures/stories260k");

function tokenized(
  input: TokenizeInput,
  params: Partial<TokenizeSettings["params"]>,
  more: Partial<TokenizeSettings> = {},
): Promise<Tokenized> {
  const base = { boundary: "error", truncation: "error", validation_fraction: 0 } as const;
  return tokenize(tokenizer, input, {
    maxLength: 64,
    maxPromptLength: 63,
    seed: 3,
    ...more,
    params: { ...base, ...params },
  });
}

const row = (k: number, prompt: string, response?: string): UserRow => ({
  id: `d${k}`,
  line: k + 1,
  at: `line ${k + 1}`,
  place: `${k + 1}`,
  meta: {},
  content: {
    kind: "chat",
    messages: [
      { role: "user", content: prompt },
      ...(response === undefined ? [] : [{ role: "assistant" as const, content: response }]),
    ],
  },
});

const demonstrations = (count: number, promptOf = (k: number) => `Q${k}?`): TokenizeInput => ({
  demonstrations: {
    file: "d.jsonl",
    rows: Array.from({ length: count }, (_, k) => row(k, promptOf(k), " Yes.")),
  },
});

const idsOf = (set: { readonly samples: readonly { readonly id: string }[] } | undefined) =>
  set?.samples.map(({ id }) => id) ?? [];

Deno.test("a fifth is set aside for the audit, at least 32, none below 160, and then a warning says so", async () => {
  for (const [count, audit] of [[160, 32], [159, 0], [400, 80], [1, 0]] as const) {
    const found = await tokenized(demonstrations(count), { audit_fraction: 0.2 });
    assertEquals([found.audit?.samples.length ?? 0, found.train!.samples.length], [audit, count - audit]);
    assertEquals(found.warnings.length, audit === 0 ? 1 : 0);
  }
  const { warnings } = await tokenized(demonstrations(100), { audit_fraction: 0.2 });
  assert(warnings[0]!.startsWith("too few for an audit: 100 demonstrations, at least 160 are required"));
  const small = await tokenized(demonstrations(200), { audit_fraction: 0.01 });
  assertEquals(small.audit!.samples.length, 32, "a smaller fraction would leave too few to learn from");
  const none = await tokenized(demonstrations(200), { audit_fraction: 0 });
  assertEquals([none.audit, none.warnings, none.train!.samples.length], [undefined, [], 200]);
});

Deno.test("audit, train and validation share no prompt; the sets do not depend on the order of the rows", async () => {
  // Three demonstrations of each prompt.
  const input = demonstrations(600, (k) => `Q${k % 200}?`);
  const params = { audit_fraction: 0.2, validation_fraction: 0.2 };
  const sets = async (given: TokenizeInput, seed: number) => {
    const { train, audit, validation, prompts } = await tokenized(given, params, { seed });
    const promptsIn = (set: typeof train) => new Set(set!.samples.map(({ prompt }) => prompt));
    return {
      rows: [train, audit, validation].map(idsOf),
      texts: new Set(prompts!.texts),
      audit: promptsIn(audit),
    };
  };
  const found = await sets(input, 3), [train, audit, validation] = found.rows;
  assertEquals(new Set([...train!, ...audit!, ...validation!]).size, 600);
  const promptOf = (id: string) => Number(id.slice(1)) % 200;
  const [a, b, c] = [train!, audit!, validation!].map((ids) => new Set(ids.map(promptOf)));
  assert(a!.isDisjointFrom(b!) && a!.isDisjointFrom(c!) && b!.isDisjointFrom(c!));
  assert(found.texts.isDisjointFrom(found.audit), "PPO must not use the prompts of the audit");
  const reversed = { demonstrations: { file: "d.jsonl", rows: input.demonstrations!.rows.toReversed() } };
  assertEquals(
    (await sets(reversed, 3)).rows.map((ids) => ids.toSorted()),
    found.rows.map((ids) => ids.toSorted()),
  );
  assert((await sets(input, 4)).rows[1]!.join() !== audit!.join(), "another seed takes others");
});

Deno.test("the audit is taken from the drawn demonstrations", async () => {
  const { train, audit } = await tokenized(demonstrations(500), { audit_fraction: 0.2 }, { draw: 200 });
  assertEquals([train!.samples.length, audit!.samples.length], [160, 40]);
});

Deno.test("demonstrations of one prompt cannot be split", async () => {
  const error = await assertRejects(
    () => tokenized(demonstrations(200, () => "Same?"), { audit_fraction: 0.2 }),
    DataError,
  );
  assertEquals(
    error.message,
    "d.jsonl: audit_fraction 0.2 must leave demonstrations for training, got 200 demonstrations of 1 prompt",
  );
});

Deno.test("selection prompts and evaluation prompts share no text, whether given or held out", async () => {
  const given = { file: "e.jsonl", rows: Array.from({ length: 40 }, (_, k) => row(k, `E${k % 30}?`)) };
  const own = await tokenized({ ...demonstrations(20), evalPrompts: given }, { selection_fraction: 0.5 });
  const [selection, evaluation] = [own.selectionPrompts!, own.evalPrompts!];
  assertEquals(selection.rows.length + evaluation.rows.length, 40);
  assert(selection.rows.length >= 20);
  assert(new Set(selection.texts).isDisjointFrom(new Set(evaluation.texts)));
  const held = await tokenized(demonstrations(200), { validation_fraction: 0.3, selection_fraction: 0.5 });
  assertEquals(
    held.validation!.samples.map(({ prompt }) => prompt).toSorted(),
    [...held.evalPrompts!.texts].toSorted(),
  );
  assert(new Set(held.selectionPrompts!.texts).isDisjointFrom(new Set(held.evalPrompts!.texts)));
  const one = { file: "e.jsonl", rows: [row(0, "E?"), row(1, "E?")] };
  const error = await assertRejects(
    () => tokenized({ ...demonstrations(20), evalPrompts: one }, { selection_fraction: 0.5 }),
    DataError,
  );
  assertEquals(
    error.message,
    "selection_fraction 0.5 must leave prompts for the evaluation, got 2 evaluation prompts of 1 text",
  );
});

Deno.test("keysSetAside() takes whole keys until enough rows are taken, in any order", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1 }), fc.nat(40), (numbers, least) => {
      const keys = numbers.map(String), options = { label: "x", seed: 1, least };
      const taken = keysSetAside(keys, options);
      const rows = (set: ReadonlySet<string>) => keys.filter((key) => set.has(key)).length;
      assert(rows(taken) >= Math.min(least, keys.length));
      assertEquals(keysSetAside(keys.toReversed(), options), taken);
      const last = [...taken].at(-1);
      if (last !== undefined) assert(rows(new Set([...taken].slice(0, -1))) < least, "no more than needed");
    }),
    { seed: 6 },
  );
});

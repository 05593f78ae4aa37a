/** The checker of an evaluation: there, left out, or refused before any model runs. @module */
import { assertEquals, assertRejects } from "@std/assert";
import type { PromptRow } from "@/lib/contracts/prompts.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { checkerFor } from "./checker.ts";
import { params } from "./params.ts";

const row = (id: string, meta: unknown): PromptRow => ({
  id,
  promptIds: Int32Array.of(1),
  meta: JSON.stringify(meta),
});
const WITH = row("a", { words: ["Tim"] });
const WITHOUT = [row("b", { response: " No." }), row("c", {})];

const find = (given: Readonly<Record<string, unknown>>, prompts: readonly PromptRow[], module?: string) =>
  checkerFor(params.parse(given), module, prompts, "p.arrow");

Deno.test("a checker whose field no prompt has is an error, or left out where it is optional", async () => {
  const error = await assertRejects(() => find({ checker: "words" }, WITHOUT), DataError);
  assertEquals(
    error.message,
    'Cannot check answers to p.arrow as checker words needs the field "words" in every prompt: 2 of 2 lack it: "b", "c"',
  );
  assertEquals(await find({ checker: "words", checker_optional: true }, WITHOUT), undefined);
});

Deno.test("a checker whose field some prompts lack is an error, optional or not", async () => {
  const many = Array.from({ length: 11 }, (_, k) => row(`r${k}`, {}));
  for (const checker_optional of [false, true]) {
    const error = await assertRejects(
      () => find({ checker: "exact", checker_field: "words", checker_optional }, [WITH, ...many]),
      DataError,
    );
    assertEquals(
      error.message,
      'Cannot check answers to p.arrow as checker exact needs the field "words" in every prompt: 11 of 12 lack it: ' +
        `${many.slice(0, 10).map(({ id }) => `"${id}"`).join(", ")}, and 1 more`,
    );
  }
});

Deno.test("a checker that finds its field, or needs none, is there; without a name there is none", async () => {
  const answer = { meta: { words: ["Tim"] }, response: "Tim ran.", ended: true };
  assertEquals((await find({ checker: "words", checker_optional: true }, [WITH]))!(answer), {
    score: 1,
    both_words: 1,
  });
  assertEquals((await find({ checker: "regex", checker_pattern: "ran" }, WITHOUT))!(answer), { score: 1 });
  assertEquals(await find({}, WITHOUT), undefined);
});

Deno.test("a module takes the place of the checker that is named, and asks for no field", async () => {
  using directory = new TemporaryDirectory();
  const module = directory.file("check.ts");
  Deno.writeTextFileSync(
    module,
    "export const check = ({ response }) => ({ score: response.length > 3 ? 1 : 0 });",
  );
  const checker = await find({ checker: "words" }, WITHOUT, module);
  const score = (response: string) => checker!({ meta: {}, response, ended: true }).score;
  assertEquals([score("no"), score("indeed")], [0, 1]);
});

/** Tests the checker of an evaluation: loaded, skipped, or an error before any model runs. @module */
import { assertEquals, assertRejects } from "@std/assert";
import type { PromptRow } from "@/lib/data/contracts/prompts.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
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

Deno.test("a checker whose field no prompt has is an error, or skipped with checker_optional", async () => {
  const error = await assertRejects(() => find({ checker: "words" }, WITHOUT), DataError);
  assertEquals(
    error.message,
    'p.arrow: checker words requires the field "words" in every prompt, missing in 2 of 2: "b", "c"',
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
      'p.arrow: checker exact requires the field "words" in every prompt, missing in 11 of 12: ' +
        `${many.slice(0, 10).map(({ id }) => `"${id}"`).join(", ")}, and 1 more`,
    );
  }
});

Deno.test("a checker whose field is present, or that needs none, is loaded; without a name there is none", async () => {
  const input = { meta: { words: ["Tim"] }, response: "Tim ran.", ended: true };
  assertEquals(await (await find({ checker: "words", checker_optional: true }, [WITH]))!([input]), [{
    score: 1,
    both_words: 1,
  }]);
  assertEquals(await (await find({ checker: "regex", checker_pattern: "ran" }, WITHOUT))!([input]), [{
    score: 1,
  }]);
  assertEquals(await find({}, WITHOUT), undefined);
});

Deno.test("a module replaces the checker of the parameter, and requires no field", async () => {
  using directory = new TemporaryDirectory();
  const module = directory.file("check.ts");
  Deno.writeTextFileSync(
    module,
    "export const check = ({ response }) => ({ score: response.length > 3 ? 1 : 0 });",
  );
  const checker = await find({ checker: "words" }, WITHOUT, module);
  const inputs = ["no", "indeed"].map((response) => ({ meta: {}, response, ended: true }));
  assertEquals(await checker!(inputs), [{ score: 0 }, { score: 1 }]);
});

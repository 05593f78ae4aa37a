import { assertEquals, assertRejects } from "@std/assert";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { checkLayouts } from "./check_layouts.ts";

Deno.test("all 26 files give their rows, whether the layout is detected or given", async () => {
  const lines = await checkLayouts("fixtures/goldens/layouts");
  assertEquals(lines.map(({ check, ok, places }) => [check, ok, places.length]), [
    ["rows, layout detected", true, 26],
    ["rows, layout given", true, 26],
  ]);
});

Deno.test("a row that differs, a row too few, and a file that is refused are noticed", async () => {
  using directory = new TemporaryDirectory();
  directory.write("a.jsonl", '{"prompt":"Q","response":"a"}\n{"prompt":"Q2","response":"b "}\n');
  directory.write("b.csv", "foo,bar\n1,2\n");
  const files = [
    { file: "a.jsonl", layout: "prompt_response" },
    { file: "b.csv", layout: "question_answer", columns: { prompt: "foo", response: "bar" } },
  ];
  directory.write("files.jsonl", files.map((file) => JSON.stringify(file)).join("\n"));
  const row = (file: string, question: string, answer: string) =>
    JSON.stringify({
      file,
      messages: [{ role: "user", content: question }, { role: "assistant", content: answer }],
    });
  const run = async (...rows: string[]) => {
    directory.write("expected.jsonl", rows.join("\n"));
    return (await checkLayouts(directory.path)).map(({ largestError, worst }) => [largestError, worst]);
  };
  const good = [row("a.jsonl", "Q", "a"), row("a.jsonl", "Q2", "b "), row("b.csv", "1", "2")];
  assertEquals(await run(...good), [[0, "a.jsonl[0]"], [0, "a.jsonl[0]"]]);
  assertEquals((await run(good[0]!, row("a.jsonl", "Q2", "b"), good[2]!))[0], [1, "a.jsonl[1]"]);
  assertEquals((await run(good[0]!, good[2]!))[0], [Infinity, "a.jsonl has 2 elements, not 1"]);
  assertEquals((await run(good[0]!, good[1]!))[1], [
    Infinity,
    "b.csv: expected.jsonl has no row of this file",
  ]);
  directory.write("b.csv", "");
  const [, named] = await run(...good);
  assertEquals(named![0], Infinity);
});

Deno.test("a list that names no layout is refused", async () => {
  using directory = new TemporaryDirectory();
  directory.write("expected.jsonl", '{"file":"a"}');
  const list = directory.write("files.jsonl", '{"file":"a","layout":"dolly"}');
  await assertRejects(
    () => checkLayouts(directory.path),
    DataError,
    `${list}:1: layout: Invalid option: expected one of "prompt_response"|"question_answer"|"alpaca"|"messages"|` +
      '"sharegpt"|"text"',
  );
});

/** Tests outcomes of benchmarks against goldens, and that one wrong outcome is noticed. @module */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { checkBenchmark } from "./checks/check_benchmark.ts";
import { findGoldens } from "./checks/find_goldens.ts";

const GOLDENS = "fixtures/goldens/benchmarks";

Deno.test("outcomes of GSM8K and IFEval are those of lm-eval 0.4.13 and of instruction_following_eval", async () => {
  const goldens = findGoldens(GOLDENS);
  assertEquals(goldens.map(({ kind, name }) => [kind, name]), [
    ["benchmark", "benchmarks/gsm8k"],
    ["benchmark", "benchmarks/ifeval"],
  ]);
  for (const { path } of goldens) {
    const lines = await checkBenchmark(path);
    assertEquals(
      lines.map(({ check, ok, places }) => [check, ok, places.length > 50]),
      lines.map(({ check }) => [check, true, true]),
    );
  }
});

Deno.test("one wrong outcome, one wrong text and a case that is refused fail their checks, with the case's id", async () => {
  using home = new TemporaryDirectory();
  const cases = Deno.readTextFileSync(join(GOLDENS, "gsm8k/cases.jsonl")).split("\n").slice(0, 3).map((
    line,
  ) => JSON.parse(line));
  cases[0].expected["strict-match"].exact_match = 1 - cases[0].expected["strict-match"].exact_match;
  cases[1].expected["flexible-extract"].extracted = "0";
  delete cases[2].doc.answer;
  Deno.writeTextFileSync(home.file("golden.json"), JSON.stringify({ kind: "benchmark", task: "gsm8k" }));
  Deno.writeTextFileSync(home.file("cases.jsonl"), cases.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const lines = await checkBenchmark(home.path);
  const failing = lines.map((
    { check, places },
  ) => [check, places.filter(({ error }) => error > 0).map(({ place }) => place)]);
  const refused = `case ${cases[2].id}: Field "answer" of a document must be a text, got nothing`;
  assertEquals(failing, [
    ["strict-match: extracted", [refused]],
    ["strict-match: exact_match", [`case ${cases[0].id}`, refused]],
    ["flexible-extract: extracted", [`case ${cases[1].id}`, refused]],
    ["flexible-extract: exact_match", [refused]],
  ]);
});

/** Tests tasks: prompts, own sets, documents of local files. @module */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { loadDocuments } from "../data/load_documents.ts";
import { resolveTask } from "../data/resolve_task.ts";
import { choiceOutcome } from "../run/run_benchmark.ts";
import { buildPrompts } from "./build_prompts.ts";
import { GSM8K } from "./gsm8k.ts";
import { BENCHMARK_TASKS } from "./named_tasks.ts";
import { ownSetTask } from "./own_set.ts";

Deno.test("gsm8k: five examples of the training split, as the harness draws them with its default seed", async () => {
  const loaded = await loadDocuments(GSM8K, undefined, 2);
  const [first, second] = buildPrompts(GSM8K, loaded.docs, loaded.examples);
  assertEquals(first!.text.split("Question:").length, 7);
  assertEquals(first!.text.endsWith("at the farmers' market?\nAnswer:"), true);
  assertEquals(first!.messages.length, 11);
  assertEquals(first!.text.split("\n\n")[0] === second!.text.split("\n\n")[0], false);
  // lm-eval 0.4.13 on the same files: positions of random.Random(1234).sample
  const position = loaded.examples.findIndex(({ question }) =>
    first!.text.startsWith(`Question: ${question}\n`)
  );
  assertEquals(position, 6374);
});

Deno.test("bundled data: 540 prompts of IFEval, 1,319 and 7,473 rows of GSM8K", async () => {
  assertEquals((await loadDocuments(BENCHMARK_TASKS.get("ifeval")!, undefined)).docs.length, 540);
  const { docs, examples } = await loadDocuments(GSM8K, undefined);
  assertEquals([docs.length, examples.length], [1319, 7473]);
});

Deno.test("a task without bundled data names what it requires; splits and configurations are found in folders", async () => {
  const task = BENCHMARK_TASKS.get("mmlu_pro")!;
  const error = await assertRejects(() => loadDocuments(task, undefined), UsageError);
  assertEquals(
    error.message,
    "Task mmlu_pro requires --data mmlu_pro=PATH or --data mmlu_pro=hf:datasets/TIGER-Lab/MMLU-Pro@REVISION",
  );
  using home = new TemporaryDirectory();
  const row = {
    question: "q",
    options: ["x", "y"],
    answer: "A",
    category: "law",
    cot_content: "A: Let's think step by step. t",
  };
  Deno.mkdirSync(home.file("data"));
  Deno.writeTextFileSync(home.file("data/test-00000-of-00001.jsonl"), `${JSON.stringify(row)}\n`);
  Deno.writeTextFileSync(
    home.file("data/validation-00000-of-00001.jsonl"),
    `${JSON.stringify(row)}\n`.repeat(5),
  );
  const { docs, examples } = await loadDocuments(task, home.path);
  const [prompt] = buildPrompts(task, docs, examples);
  assertEquals([docs.length, examples.length, prompt!.text.split("Options:\nA. x\nB. y\n").length], [
    1,
    5,
    7,
  ]);
  const few = assertThrows(() => buildPrompts(task, docs, examples.slice(1)), DataError);
  assertEquals(few.message, 'Task mmlu_pro requires 5 few-shot examples with category "law", got 4');
});

Deno.test("own rows: answer, regex, schema and choices; all problems in one message", async () => {
  const rows = [
    { prompt: "a", answer: ["4", "four"] },
    { prompt: "b", regex: "^\\d+$" },
    { prompt: "c", schema: { type: "object", required: ["x"], properties: { x: { type: "integer" } } } },
  ];
  const { output } = ownSetTask("rows.jsonl", rows);
  if (output.kind !== "generate") throw new Error("kind");
  const correct = async (i: number, response: string) =>
    (await output.score(rows[i]!, response)).metrics.correct;
  assertEquals([await correct(0, " four\n"), await correct(0, "five")], [1, 0]);
  assertEquals([await correct(1, "12"), await correct(1, "12a")], [1, 0]);
  assertEquals([await correct(2, '{"x": 1}'), await correct(2, '{"x": "1"}'), await correct(2, "{")], [
    1,
    0,
    0,
  ]);
  const error = assertThrows(
    () => ownSetTask("rows.jsonl", [{ prompt: "a" }, { answer: "1", regex: "1" }]),
    DataError,
  );
  assertEquals(
    error.message,
    'rows.jsonl: row 1: requires one of answer, regex, schema, choices, got none; row 2: requires a text "prompt"; ' +
      "row 2: requires one of answer, regex, schema, choices, got answer, regex",
  );
  const unknown = await assertRejects(() => resolveTask({ task: "gsm9k" }), UsageError);
  assertEquals(unknown.message.endsWith('or the path of a file, got "gsm9k"'), true);
});

Deno.test("acc and acc_norm: of equal log-likelihoods the first counts; lengths are characters", () => {
  assertEquals(choiceOutcome([-2, -2], ["a", "b"], 0).metrics, { acc: 1, acc_norm: 1 });
  assertEquals(choiceOutcome([-2, -3], ["a", "𝔸𝔹"], 1).metrics, { acc: 0, acc_norm: 1 });
});

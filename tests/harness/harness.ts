/**
 * `deno task test:harness`: compares prompts and outcomes of benchmarks with lm-evaluation-harness's own functions on generated edge
 * cases. Arguments: the Python of environment.sh, `--cases N` (responses per task, default 3000), `--seed N`. Prints a line per
 * check; exit code 1 if one differs.
 * @module
 */
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { readFlags } from "@/lib/app/flags.ts";
import { readJsonl } from "@/lib/data/files/jsonl.ts";
import { bundledText } from "@/lib/model/benchmarks/data_file.ts";
import { detectLanguage } from "@/lib/model/benchmarks/ifeval/detect_language.ts";
import { buildPrompts } from "@/lib/model/benchmarks/tasks/build_prompts.ts";
import { BENCHMARK_TASKS } from "@/lib/model/benchmarks/tasks/named_tasks.ts";
import type { BenchmarkDocument } from "@/lib/model/benchmarks/tasks/task.ts";
import { checkBenchmark } from "@/tests/goldens/checks/check_benchmark.ts";

const OUT = join(projectRoot, "runs/harness/outcomes");
const DATA = ["ifeval.jsonl", "gsm8k_test.jsonl", "gsm8k_train.jsonl"];

async function makeExpected(python: string, count: number, seed: number): Promise<void> {
  try {
    Deno.removeSync(OUT, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  Deno.mkdirSync(OUT, { recursive: true });
  const files = DATA.map((name) => {
    Deno.writeTextFileSync(join(OUT, name), bundledText(name));
    return join(OUT, name);
  });
  const { code } = await new Deno.Command(python, {
    args: ["-W", "ignore", join(import.meta.dirname!, "outcomes.py"), ...files, OUT, `${count}`, `${seed}`],
    cwd: projectRoot,
    env: { PYTHONDONTWRITEBYTECODE: "1", TOKENIZERS_PARALLELISM: "false" },
    stdout: "null",
  }).output();
  if (code !== 0) throw new Error(`outcomes.py must end with exit code 0, got ${code}`);
}

let failed = 0;

function report(name: string, cases: number, different: number, worst: string): void {
  if (different > 0) failed++;
  const details = different > 0 ? `, ${different} differ, first: ${worst}` : ", all equal";
  console.log(`${different > 0 ? "FAILED" : "ok    "}  ${name}: ${cases} cases${details}`);
}

async function compareOutcomes(): Promise<void> {
  for (
    const { name } of [...Deno.readDirSync(join(OUT, "goldens"))].sort((a, b) => a.name < b.name ? -1 : 1)
  ) {
    for (const { check, places, worst } of await checkBenchmark(join(OUT, "goldens", name))) {
      report(`${name} ${check}`, places.length, places.filter(({ error }) => error > 0).length, worst);
    }
  }
}

function comparePrompts(): void {
  const expected = JSON.parse(Deno.readTextFileSync(join(OUT, "prompts.json"))) as Record<string, string[][]>;
  const rowsOf = (name: string) => readJsonl(join(OUT, name)).map(({ value }) => value as BenchmarkDocument);
  const files: Record<string, string> = { ifeval: "ifeval.jsonl", mmlu_pro: "mmlu_test.jsonl" };
  const examples: Record<string, string> = { gsm8k: "gsm8k_train.jsonl", mmlu_pro: "mmlu_validation.jsonl" };
  for (const [key, wanted] of Object.entries(expected)) {
    const [name, ...rest] = key.split(" ") as [string, ...string[]], category = rest.join(" ");
    const task = BENCHMARK_TASKS.get(name)!;
    const rows = rowsOf(files[name] ?? (name.startsWith("gpqa") ? "gpqa.jsonl" : "gsm8k_test.jsonl"));
    const documents = (all: readonly BenchmarkDocument[]) => task.documents?.(all) ?? all;
    const docs = documents(rows).filter((doc) => category === "" || doc.category === category).slice(0, 50);
    const shots = examples[name] === undefined ? [] : documents(rowsOf(examples[name]));
    const prompts = buildPrompts(task, docs, shots);
    const { output } = task;
    const actual = prompts.flatMap(({ text }, i) =>
      output.kind === "generate" ? [[text]] : output.choices(docs[i]!).map((choice) => [text, ` ${choice}`])
    );
    const bad = wanted.findIndex((prompt, i) => JSON.stringify(prompt) !== JSON.stringify(actual[i]));
    const different = wanted.filter((prompt, i) =>
      JSON.stringify(prompt) !== JSON.stringify(actual[i])
    ).length;
    report(
      `${key} prompts`,
      wanted.length,
      different,
      JSON.stringify([wanted[bad], actual[bad]]).slice(0, 300),
    );
  }
}

function compareLanguages(): void {
  const rows = readJsonl(join(OUT, "languages.jsonl")).map(({ value }) => value);
  const bad = rows.filter(({ text, language }) => (detectLanguage(String(text)) ?? null) !== language);
  report("languages, langdetect with seed 0", rows.length, bad.length, JSON.stringify(bad[0]));
}

const flags = readFlags(Deno.args, { strings: ["cases", "seed"] });
const count = flags.integer("cases", { min: 1 }, "3000")!, seed = flags.integer("seed", { min: 0 }, "1")!;
flags.check();
await makeExpected(flags.words[0]!, count, seed);
comparePrompts();
await compareOutcomes();
compareLanguages();
Deno.exit(failed === 0 ? 0 : 1);

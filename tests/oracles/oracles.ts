/**
 * `deno task test:oracles`: makes the goldens of verl and TRL again in runs/oracles/goldens, compares this project's functions with
 * them, and says whether the committed files still agree. Argument: the Python of environment.sh. Prints one line per file; exit code 1
 * if one differs.
 * @module
 */
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { differences, type Topic, TOPICS } from "@/tests/goldens/rl_libraries/topics.ts";

const COMMITTED = join(projectRoot, "fixtures/rl_libraries");
const FRESH = join(projectRoot, "runs/oracles/goldens");

async function makeGoldens(python: string): Promise<void> {
  Deno.mkdirSync(FRESH, { recursive: true });
  for (const { name } of Deno.readDirSync(FRESH)) Deno.removeSync(join(FRESH, name));
  for (const name of ["verl_goldens.py", "trl_goldens.py"]) {
    const { code } = await new Deno.Command(python, {
      args: ["-W", "ignore", join(import.meta.dirname!, name), FRESH],
      cwd: projectRoot,
      env: { HF_HUB_OFFLINE: "1", TOKENIZERS_PARALLELISM: "false", PYTHONDONTWRITEBYTECODE: "1" },
      stdout: "null",
    }).output();
    if (code !== 0) throw new Error(`${name} must end with exit code 0, got ${code}`);
  }
}

const read = (folder: string, name: string) =>
  JSON.parse(Deno.readTextFileSync(join(folder, `${name}.json`)));

/** Returns the largest difference of numbers, relative above 1; infinite where anything else differs. */
function differenceOf(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return Math.abs(a - b) / Math.max(1, Math.abs(b));
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") {
    return a === b ? 0 : Infinity;
  }
  const keys = Object.keys(a);
  if (keys.join() !== Object.keys(b).join()) return Infinity;
  const [x, y] = [a, b] as Record<string, unknown>[];
  return Math.max(0, ...keys.map((key) => differenceOf(x![key], y![key])));
}

/** Prints the line of one file. @returns whether it agrees */
function report(name: string, topic: Topic): boolean {
  const fresh = read(FRESH, name), known = Object.values(topic.different ?? {}).flat().length;
  const ours = (fresh.cases as unknown[]).flatMap((golden, i) =>
    differences(topic, golden).filter(([field]) => !topic.different?.[i]?.includes(field)).map(([, found]) =>
      found
    )
  );
  const largest = Math.max(...ours), committed = differenceOf(read(COMMITTED, name), fresh);
  const agrees = largest <= topic.bar && committed <= topic.bar;
  const details = [
    `${fresh.cases.length} cases`,
    `largest difference to this project ${largest.toExponential(1)}`,
    `committed file ${committed <= topic.bar ? "agrees" : "differs"}`,
    ...(known > 0 ? [`known differences (fields): ${known}`] : []),
  ];
  console.log(`${agrees ? "ok    " : "FAILED"}  ${name}: ${details.join(", ")}`);
  return agrees;
}

if (import.meta.main) {
  const [python] = Deno.args;
  if (python === undefined) {
    console.error("Usage: oracles.ts PYTHON");
    Deno.exit(64);
  }
  await makeGoldens(python);
  const failed = Object.entries(TOPICS).filter(([name, topic]) => !report(name, topic)).length;
  if (failed > 0) console.log(`\n${failed} failed. New files: ${FRESH}`);
  Deno.exit(failed > 0 ? 1 : 0);
}

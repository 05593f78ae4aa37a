/**
 * `deno task test:interop`: runs a short pipeline and checks its outputs with the libraries with which users load them:
 * transformers, PEFT, torch, pyarrow, safetensors and PyPI's ONNX Runtime. Argument: the Python of environment.sh. All files
 * are below runs/interop. Prints one line per check; exit code 1 if one failed.
 * @module
 */
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { writeSafetensors } from "@/lib/data/files/safetensors.ts";
import { writeAdapters } from "./adapters.ts";
import { TRAINED, trainOnce } from "./one_update.ts";
import { contextOf, logitsOf, tokensOf, valuesOf } from "./our_results.ts";
import { TEXTS } from "./texts.ts";

const HOME = join(projectRoot, "runs/interop/files");
const RUN = join(HOME, "run");
/** Settings that shorten the quickstart: its policy is trained for two iterations. */
const SHORT = [
  "sft.max_updates=24",
  "members.count=2",
  "members.sft.max_updates=24",
  "reward.calibration_prompts=32",
  "reward.export_onnx=true",
  "ppo.count=2",
  "ppo.rollout.prompts_per_iteration=32",
  "ppo.update.critic_warmup_iterations=0",
];
/** Contracts of the files of a quickstart run. */
const CONTRACTS = ["tokens", "prompts", "rollouts", "scored", "metrics", "samples", "evals"];

/** Runs a task of the project. */
async function runTask(args: readonly string[]): Promise<void> {
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", ...args],
    cwd: projectRoot,
    stdout: "null",
    stderr: "inherit",
  }).output();
  if (code !== 0) {
    throw new Error(`deno task ${args[0]} failed with exit code ${code}`);
  }
}

/** Runs a program that prints one line per check, prints and counts the lines. A program that does not finish has failed. */
async function count(
  program: string,
  args: readonly string[],
): Promise<{ readonly passed: number; readonly failed: number }> {
  const child = new Deno.Command(program, {
    args: [...args],
    cwd: projectRoot,
    env: { HF_HUB_OFFLINE: "1", TOKENIZERS_PARALLELISM: "false", PYTHONDONTWRITEBYTECODE: "1" },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let passed = 0, failed = 0, rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      if (line.startsWith("ok ")) passed++;
      if (line.startsWith("FAILED ")) failed++;
      console.log(line);
    }
  }
  const { code } = await child.status;
  if (code === 0 && passed + failed > 0) return { passed, failed };
  console.log(`FAILED  ${args.find((arg) => /\.(py|ts)$/.test(arg))} did not finish: exit code ${code}`);
  return { passed, failed: failed + 1 };
}

/** Writes the quickstart's manifest with critic and optimizer state among its outputs. */
function writeManifest(): string {
  const text = Deno.readTextFileSync(join(projectRoot, "pipelines/quickstart.yaml"));
  const more = text.replace(
    /^outputs: \{/m,
    "outputs: { critic: ppo.critic, state: ppo.state, sft: sft.policy,",
  );
  if (more === text) {
    throw new Error("pipelines/quickstart.yaml must have its outputs on one line");
  }
  const path = join(HOME, "short.yaml");
  Deno.writeTextFileSync(path, more.replaceAll(/: fixtures\//g, `: ${projectRoot}/fixtures/`));
  return path;
}

/** Returns the Arrow files in `folders`, recognised by their first bytes; of several hard links, the first found. */
function arrowFiles(folders: readonly string[]): string[] {
  const found = new Map<string, string>();
  const visit = (folder: string): void => {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      const path = join(folder, name);
      if (isDirectory) visit(path);
      else if (beginsWith(path, "ARROW1")) {
        const { dev, ino } = Deno.statSync(path);
        if (!found.has(`${dev}:${ino}`)) found.set(`${dev}:${ino}`, path);
      }
    }
  };
  folders.forEach(visit);
  return [...found.values()].sort();
}

function beginsWith(path: string, text: string): boolean {
  using file = Deno.openSync(path);
  const start = new Uint8Array(text.length);
  return file.readSync(start) === text.length && new TextDecoder().decode(start) === text;
}

/** Returns prompts of different lengths with ids below `vocabulary`; the longest fills the context. */
function raggedPrompts(vocabulary: number, context: number): number[][] {
  return [1, 2, 7, Math.floor(context / 3), context].map((length, r) =>
    Array.from({ length }, (_, t) => (3 + 31 * r + 17 * t + t * t) % vocabulary)
  );
}

/** Writes all files and the description of the checks for Python. @returns the path of the description */
async function makeCase(): Promise<string> {
  const manifest = writeManifest();
  const settings = SHORT.flatMap((setting) => ["--set", setting]);
  await runTask(["pipeline", manifest, "--run-dir", RUN, ...settings]);
  const trainings = [];
  for (const name of TRAINED) {
    const run = (args: readonly string[]) => runTask(["stage", ...args]);
    trainings.push(await trainOnce(name, join(HOME, name), run));
  }
  const output = (name: string) => join(RUN, "outputs", name);
  const reward = JSON.parse(Deno.readTextFileSync(join(output("reward"), "reward.json"))) as {
    members: { path: string }[];
    base: { path: string };
  };
  const prompts = raggedPrompts(512, 200);
  const models = [
    { name: "policy", path: output("policy"), prompts },
    { name: "sft", path: output("sft"), prompts },
    ...reward.members.map(({ path }, m) => ({
      name: `member ${m}`,
      path: join(output("reward"), path),
      prompts,
    })),
    { name: "base", path: join(output("reward"), reward.base.path), prompts },
    ...trainings.flatMap(({ name, source, policy }) => {
      const prompts = raggedPrompts(96, contextOf(source));
      return [{ name, path: source, prompts }, { name: `${name} after an update`, path: policy, prompts }];
    }),
    ...writeAdapters(join(HOME, "adapters")).map(({ name, path, vocabSize, contextLength }) => ({
      name,
      path,
      prompts: raggedPrompts(vocabSize, contextLength),
    })),
  ];
  const results = join(HOME, "ours.safetensors");
  writeSafetensors(results, [
    ...models.flatMap(({ name, path, prompts }) => logitsOf(name, path, prompts)),
    ...valuesOf(output("critic"), prompts),
  ]);
  const { ids, decoded } = await tokensOf(output("policy"), TEXTS);
  const arrow = arrowFiles(["store/views", "store/blobs", "outputs"].map((folder) => join(RUN, folder)));
  const scored = arrow.filter((path) => path.endsWith("/scored.arrow"));
  const path = join(HOME, "case.json");
  const described = {
    arrow,
    contracts: CONTRACTS.map((name) => `${name}@1`),
    results,
    models,
    critic: { path: output("critic"), prompts },
    tokenizer: { path: output("policy"), texts: TEXTS, expected: ids, decoded },
    trainings,
    moments: { path: output("state"), models: { policy: output("policy"), critic: output("critic") } },
    reward: { graph: join(output("reward"), "reward.onnx"), files: scored },
  };
  Deno.writeTextFileSync(path, JSON.stringify(described));
  return path;
}

/** Runs all checks. @returns the number that failed */
async function main(python: string): Promise<number> {
  Deno.mkdirSync(HOME, { recursive: true });
  for (const { name } of Deno.readDirSync(HOME)) Deno.removeSync(join(HOME, name), { recursive: true });
  const contracts = join(HOME, "contracts");
  Deno.mkdirSync(contracts);
  const permissions = ["--no-prompt", "--allow-read", `--allow-write=${contracts}`, `--allow-run=${python}`];
  const script = (name: string) => join(import.meta.dirname!, name);
  const counts = [
    await count(Deno.execPath(), ["run", ...permissions, script("data_files.ts"), python, contracts]),
  ];
  const described = await makeCase();
  for (const name of ["arrow_files.py", "checkpoints.py"]) {
    counts.push(await count(python, [script(name), described]));
  }
  const passed = counts.reduce((sum, count) => sum + count.passed, 0);
  const failed = counts.reduce((sum, count) => sum + count.failed, 0);
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed;
}

if (import.meta.main) {
  const [python] = Deno.args;
  if (python === undefined) {
    console.error("Usage: interop.ts PYTHON");
    Deno.exit(64);
  }
  Deno.exit(await main(python) === 0 ? 0 : 1);
}

/**
 * Shows how often the audit, the trained reward and other measures name the better of two models:
 * `deno task test:audit [SEED:DEMONSTRATIONS …]`. Runs pipelines/variants/audit.yaml for every argument, resumes interrupted runs,
 * adds their pairs to tests/audit/pairs.csv, and prints the hit rates of all pairs there. Without arguments it only prints.
 * @module
 */
import { readEvals } from "@/lib/data/contracts/evals.ts";
import type { RunEvent } from "@/lib/data/contracts/events.ts";
import { readSamples } from "@/lib/data/contracts/samples.ts";
import { Store } from "@/lib/pipeline/engine/store.ts";
import { hitRates, isFall, knownPairs } from "./hit_rates.ts";
import { type Arm, type Pair, pairsOf } from "./pairs.ts";
import { pairsTable, readPairsTable } from "./pairs_table.ts";

const TABLE = new URL("pairs.csv", import.meta.url).pathname;
const MANIFEST = "pipelines/variants/audit.yaml";

/** Runs the manifest; a finished run is cached. */
async function run(directory: string, seed: number, demonstrations: number): Promise<void> {
  const args = [
    "task",
    "-q",
    "pipeline",
    MANIFEST,
    "--threads",
    "1",
    "--seed",
    `${seed}`,
    "--run-dir",
    directory,
  ];
  args.push("--set", `tokenize.draw=${demonstrations}`);
  const { code } = await new Deno.Command(Deno.execPath(), { args }).spawn().status;
  if (code !== 0) Deno.exit(code);
}

/** Returns the evaluated models of a run directory. */
async function armsOf(directory: string): Promise<Arm[]> {
  const store = new Store(`${directory}/store`), keys = new Map<string, string>();
  for (const line of Deno.readTextFileSync(`${directory}/run.jsonl`).trim().split("\n")) {
    const event = JSON.parse(line) as RunEvent;
    if (event.type !== "stage_finished" && event.type !== "stage_cached") continue;
    keys.set(event.iteration === undefined ? event.stage : `${event.stage}[${event.iteration}]`, event.key);
  }
  const outputs = async (node: string) => {
    const record = store.get(keys.get(node)!)!;
    return {
      samples: readSamples(await store.view(record, "samples")),
      evals: readEvals(await store.view(record, "evals")),
    };
  };
  const { samples, evals } = await outputs("eval"), trained = await outputs("trained");
  const arms = ["sft", "continued_sft"].map((model): Arm => ({
    name: model,
    samples: samples.filter((row) => row.model === model),
    evals: evals.filter((row) => row.model === model),
    paper: trained.samples.filter((row) => row.model === model),
  }));
  for (const node of [...keys.keys()].sort()) {
    const [, loop, number] = /^(paper|bagged)\.eval\[(\d+)\]$/.exec(node) ?? [];
    if (loop === undefined) continue;
    const paper = loop === "paper" ? (await outputs(`paper.trained[${number}]`)).samples : undefined;
    arms.push({ name: `${loop}@${Number(number) + 1}`, ...await outputs(node), paper });
  }
  return arms;
}

function print(title: string, pairs: readonly Pair[]): void {
  console.log(`\n${title}: ${pairs.length} pairs`);
  for (const { predictor, right, n, runs, interval } of hitRates(pairs)) {
    const range = interval === null ? "" : `  ${interval.map((end) => end.toFixed(2)).join(" … ")}`;
    const rate = n === 0 ? "–" : (right / n).toFixed(2);
    console.log(`${predictor.padEnd(22)} ${rate}  ${right}/${n}, ${runs} runs${range}`);
  }
}

let pairs: Pair[] = [];
try {
  pairs = readPairsTable(Deno.readTextFileSync(TABLE));
} catch (error) {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
for (const argument of Deno.args) {
  const [seed, demonstrations] = argument.split(":").map(Number) as [number, number];
  const directory = `runs/audit/s${seed}-n${demonstrations}`;
  await run(directory, seed, demonstrations);
  const own = pairsOf(await armsOf(directory), { seed, demonstrations });
  pairs = [...pairs.filter((p) => p.seed !== seed || p.demonstrations !== demonstrations), ...own];
  Deno.writeTextFileSync(TABLE, pairsTable(pairs));
}
const known = knownPairs(pairs), falls = known.filter(isFall);
console.log(
  `${pairs.length} pairs, of ${known.length} the better model is known; in ${falls.length} PPO is worse than SFT`,
);
for (const mode of ["greedy", "sampled"] as const) print(mode, known.filter((p) => p.mode === mode));
print("both modes", known);
print("PPO is worse than SFT or continued SFT", falls);

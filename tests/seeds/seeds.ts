/**
 * The quickstart over several seeds, beside the PyTorch reference: `deno task test:seeds [--seeds 0,1,2,3,4]
 * [--manifests quickstart,paper] [--dir runs/seeds] [--read]`. Every run is an ordinary `deno task pipeline`; both
 * manifests of a seed share a store, so that SFT is trained once. `--read` only reads reports that are there.
 * Prints a table a manifest, and exits with 1 where a mean lies further from the reference's than noise explains.
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { type Reference, REFERENCE_SEEDS, REFERENCES, type Spread } from "./reference.ts";

/** Standard errors of the difference that noise is allowed: one in a thousand lies further. */
const BOUND = 3.3;

const MODELS = ["base", "sft", "continued_sft", "srppo"];
const COLUMNS: readonly (readonly [mode: string, metric: string])[] = [
  ["greedy", "score"],
  ["greedy", "both_words"],
  ["sampled", "score"],
  ["sampled", "both_words"],
  ["sampled", "eos_rate"],
  ["sampled", "response_tokens"],
  ["sampled", "kl_to_sft"],
  ["sampled", "reward"],
  ["sampled", "base_nll"],
];

type Figures = Readonly<Record<string, number>>;

function spreadOf(values: readonly number[]): Spread {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  return { mean, std: Math.sqrt(squares / Math.max(1, values.length - 1)) };
}

async function figuresOf(runDir: string): Promise<Figures> {
  const { comparison } = JSON.parse(await Deno.readTextFile(`${runDir}/report.json`)) as {
    comparison: { model: string; mode: string; metric: string; mean: number }[];
  };
  return Object.fromEntries(
    comparison.map(({ model, mode, metric, mean }) => [`${model}/${mode}/${metric}`, mean]),
  );
}

async function runSeed(manifest: string, seed: string, dir: string): Promise<void> {
  const args = ["task", "-q", "pipeline", `pipelines/${manifest}.yaml`, "--seed", seed];
  const places = ["--run-dir", `${dir}/${manifest}-${seed}`, "--store", `${dir}/store-${seed}`];
  const { success } = await new Deno.Command(Deno.execPath(), { args: [...args, ...places] }).spawn().status;
  if (!success) Deno.exit(1);
}

function table(figures: readonly Figures[]): string {
  const rows = MODELS.map((model) => {
    const cells = COLUMNS.map(([mode, metric]) => {
      const { mean, std } = spreadOf(figures.map((f) => f[`${model}/${mode}/${metric}`]!));
      const digits = Math.abs(mean) >= 10 ? 1 : Math.abs(mean) >= 2 ? 2 : 3;
      return `${mean.toFixed(digits)} ± ${std.toFixed(digits)}`;
    });
    return `| ${[model, ...cells].join(" | ")} |`;
  });
  const head = ["model", ...COLUMNS.map(([mode, metric]) => `${mode} ${metric}`)];
  return [`| ${head.join(" | ")} |`, `|${head.map(() => "---").join("|")}|`, ...rows].join("\n");
}

/** Lines of comparison; whether every mean lies within the bound. */
function compare(figures: readonly Figures[], reference: Reference): { lines: string[]; agrees: boolean } {
  let agrees = true;
  const lines = Object.entries(reference).map(([name, theirs]) => {
    const ours = spreadOf(figures.map((f) => f[name]!));
    const n = figures.length, m = REFERENCE_SEEDS;
    const pooled = ((n - 1) * ours.std ** 2 + (m - 1) * theirs.std ** 2) / (n + m - 2); // a few seeds alone tell little
    const noise = Math.sqrt(pooled * (1 / n + 1 / m));
    const distance = (ours.mean - theirs.mean) / noise;
    const inside = Math.abs(distance) <= BOUND;
    agrees &&= inside;
    const show = ({ mean, std }: Spread) => `${mean.toFixed(3)} ± ${std.toFixed(3)}`;
    return `${name.padEnd(34)} ${show(ours)}  reference ${show(theirs)}  ${
      distance.toFixed(1).padStart(5)
    } standard errors` +
      (inside ? "" : "  TOO FAR");
  });
  return { lines, agrees };
}

const flags = parseArgs(Deno.args, {
  string: ["seeds", "manifests", "dir"],
  boolean: ["read"],
  default: { seeds: "0,1,2,3,4", manifests: "quickstart,paper", dir: "runs/seeds" },
});
const seeds = String(flags.seeds).split(",");
let allAgree = true;
for (const manifest of String(flags.manifests).split(",")) {
  const figures: Figures[] = [];
  for (const seed of seeds) {
    if (!flags.read) await runSeed(manifest, seed, flags.dir);
    figures.push(await figuresOf(`${flags.dir}/${manifest}-${seed}`));
  }
  const { lines, agrees } = compare(figures, REFERENCES[manifest] ?? {});
  console.log(`\n${manifest}, ${seeds.length} seeds: mean ± standard deviation over seeds\n`);
  console.log(table(figures));
  const better = figures.filter((f) => f["srppo/sampled/score"]! > f["continued_sft/sampled/score"]!).length;
  console.log(
    `\nSRPPO above continued SFT in samples on ${better} of ${seeds.length} seeds\n${lines.join("\n")}`,
  );
  allAgree &&= agrees;
}
Deno.exit(allAgree ? 0 : 1);

/**
 * Compares the quickstart over several seeds with the PyTorch reference:
 * `deno task test:seeds [--seeds N|A,B,…] [--jobs N] …`. Runs the arms of `deno task experiment quickstart` that the
 * reference has, with the given flags (default: five seeds), and exits with 1 if a mean differs significantly.
 * @module
 */
import { readResults } from "@/lib/data/contracts/results.ts";
import { spreadOf } from "@/lib/report/spread.ts";
import { REFERENCE, REFERENCE_SEEDS, type ReferenceSpread } from "./reference.ts";

/** Largest difference in standard errors of the difference; noise exceeds it once in a thousand times. */
const BOUND = 3.3;
const OUT = "runs/seeds";
/** The arm `srppo` needs no additional run: the arms of base and SFT are parts of it. */
const ARMS = ["base", "srppo", ...new Set(Object.keys(REFERENCE).map((name) => name.split("/")[0]!))];

const command = [
  "task",
  "-q",
  "experiment",
  "quickstart",
  "--arms",
  ARMS.join(),
  "--out",
  OUT,
  "--seeds",
  "5",
];
const experiment = new Deno.Command(Deno.execPath(), { args: [...command, ...Deno.args] }).spawn();
const { code } = await experiment.status;
if (code !== 0) Deno.exit(code);

const results = readResults(`${OUT}/results.arrow`);
let agrees = true;
console.log(`\nBeside the reference of ${REFERENCE_SEEDS} seeds: mean ± standard deviation over seeds`);
for (const [name, theirs] of Object.entries(REFERENCE)) {
  const [arm, mode, metric] = name.split("/");
  const rows = results.filter((row) => row.arm === arm && row.mode === mode && row.metric === metric);
  const ours = spreadOf(rows.map((row) => row.mean));
  const [n, m] = [ours.n, REFERENCE_SEEDS];
  const pooled = ((n - 1) * ours.std ** 2 + (m - 1) * theirs.std ** 2) / (n + m - 2); // pooled, as each group has few seeds
  const distance = (ours.mean - theirs.mean) / Math.sqrt(pooled * (1 / n + 1 / m));
  const isInside = Math.abs(distance) <= BOUND;
  agrees &&= isInside;
  const show = ({ mean, std }: ReferenceSpread) => `${mean.toFixed(3)} ± ${std.toFixed(3)}`;
  const far = `${distance.toFixed(1).padStart(5)} standard errors${isInside ? "" : "  DIFFERS"}`;
  console.log(`${name.padEnd(34)} ${show(ours)}  reference ${show(theirs)}  ${far}`);
}
Deno.exit(agrees ? 0 : 1);

/** The lines that both displays show about a run. @module */
import type { NodeName } from "@/lib/data/contracts/events.ts";
import type { Paint } from "./ansi.ts";
import { bytes, counted, decimal, displayName, duration, MISSING, significant } from "./format.ts";
import { leadingMetric } from "./headline.ts";
import { labelInSentence, metricText, trainingLabel } from "./metric_catalogue.ts";
import { estimateText } from "./time_left.ts";
import { trainingLines } from "./training_text.ts";
import {
  blockOf,
  type Iteration,
  labelOf,
  type Loop,
  loopSecondsLeft,
  type Milestone,
  type Running,
} from "./run_tracker.ts";
import { largest, smallest } from "@/lib/compute/tensor/large_lists.ts";

/** Metrics in the line of a running stage. */
const RUNNING = ["loss", "validation_loss", "reward", "kl_to_sft"];
/** Metrics of a finished iteration, each with the width of its column. */
const FINISHED = [["reward", 8], ["kl_to_sft", 11], ["response_length", 17], ["eos_rate", 10]] as const;

/** Returns `PPO iteration`. */
function iterationName({ block }: Pick<Loop, "block">): string {
  return `${displayName(block)} iteration`;
}

/** Returns ` iteration 5` for a node in a loop, otherwise nothing. */
export function iterationSuffix({ iteration }: Pick<NodeName, "iteration">): string {
  return iteration === undefined ? "" : ` iteration ${iteration + 1}`;
}

/** Returns loss, reward, KL and speed of a running stage, as far as it reports them. */
export function runningValues({ fields }: Running): string[] {
  const parts = RUNNING.filter((name) => fields[name] !== undefined).map((name) =>
    `${trainingLabel(name)} ${metricText(name, fields[name])}`
  );
  const rate = fields["tokens_per_second"];
  return rate === undefined ? parts : [...parts, `${decimal(rate, 0)} tokens/s`];
}

/** Returns stages with copies and iterations counted: `sft, members.sft ×4, PPO iterations 1–20`. */
function foldedNames(nodes: readonly NodeName[]): string {
  const groups = Map.groupBy(
    nodes,
    (node) => node.iteration === undefined ? node.stage : iterationName({ block: blockOf(node) }),
  );
  return [...groups].map(([name, own]) => {
    const iterations = own.flatMap(({ iteration }) => iteration ?? []);
    if (iterations.length === 0) return own.length > 1 ? `${name} ×${own.length}` : name;
    const [first, last] = [smallest(iterations) + 1, largest(iterations) + 1];
    return first === last ? `${name} ${first}` : `${name}s ${first}–${last}`;
  }).join(", ");
}

/** Returns the head of the table of a loop's iterations. */
export function iterationHead(loop: Loop, paint: Paint): string {
  const cells = [
    iterationName(loop),
    ...FINISHED.map(([metric, width]) => trainingLabel(metric).padStart(width)),
    "tokens/s".padStart(10),
    "time left".padStart(11),
  ];
  return paint.dim(cells.join(""));
}

/** Returns a finished iteration as a row of the table. */
export function iterationRow(
  loop: Loop,
  { iteration, values, tokensPerSecond }: Iteration,
  paint: Paint,
): string {
  const cells = FINISHED.map(([metric, width]) => metricText(metric, values[metric]).padStart(width));
  return [
    paint.green(`${iteration + 1}/${loop.total || "?"}`.padStart(iterationName(loop).length)),
    paint.bold(cells[0]!),
    ...cells.slice(1),
    decimal(tokensPerSecond, 0).padStart(10),
    duration(loopSecondsLeft(loop)).padStart(11),
    values["stopped"] === 1 ? paint.yellow("  stopped: KL limit") : "",
  ].join("");
}

/** Returns a finished iteration as a line of a log. */
export function iterationSentence(loop: Loop, { iteration, values, tokensPerSecond }: Iteration): string {
  const parts = FINISHED.map((
    [metric],
  ) => [`${trainingLabel(metric)} `, metricText(metric, values[metric]), ""]);
  parts.push(["", decimal(tokensPerSecond, 0), " tokens/s"], ["", duration(loopSecondsLeft(loop)), " left"]);
  const known = parts.filter(([, text]) => text !== MISSING).map((part) => part.join(""));
  return `${iterationName(loop)} ${iteration + 1}/${loop.total || "?"}: ${known.join(", ")}`;
}

function warningText(node: NodeName, warning: string, paint: Paint): string {
  return `${paint.yellow("!")} ${labelOf(node)}${iterationSuffix(node)}: ${warning}`;
}

/** Returns the line of a milestone that is not an iteration, or undefined for one without a line. */
export function milestoneLine(
  milestone: Exclude<Milestone, { kind: "iteration" }>,
  paint: Paint,
): string | undefined {
  if (milestone.kind === "cached") {
    const { nodes } = milestone;
    return `${paint.cyan("●")} ${counted(nodes.length, "stage")} cached: ${paint.dim(foldedNames(nodes))}`;
  }
  if (milestone.kind === "training") return trainingLines(milestone.training, paint);
  if (milestone.kind === "earlier_warning") {
    return `${warningText(milestone.node, milestone.warning, paint)} ${paint.dim("(cached)")}`;
  }
  const e = milestone.event;
  switch (e.type) {
    case "run_started":
      return `${paint.bold(e.manifest)} → ${e.run_dir}  ` +
        paint.dim(
          `${counted(e.more?.nodes ?? e.nodes.length, "stage")}, seed ${e.seed}, ${
            counted(e.threads, "thread")
          }, executor ${e.executor}`,
        );
    case "estimated":
      return paint.dim(
        `  estimated memory: ${bytes(e.memory_bytes)} (${bytes(e.memory_free_bytes)} available); ` +
          `disk: ${bytes(e.disk_bytes)} (${bytes(e.disk_free_bytes)} available)`,
      );
    case "time_estimated":
      return paint.dim(`  ${estimateText(e)}`);
    case "stage_progress":
      return e.warning === undefined ? undefined : warningText(e, e.warning, paint);
    case "stage_skipped":
      return paint.dim(`○ ${labelOf(e)} skipped: ${e.reason}`);
    case "stage_finished":
      if (e.iteration !== undefined) return undefined; // part of its iteration's line
      return `${paint.green("✓")} ${labelOf(e).padEnd(16)} ${paint.dim(duration(e.seconds))}`;
    case "evals": {
      if (e.iteration === undefined) return undefined; // part of the comparison
      const metric = leadingMetric(e.rows);
      const values = e.rows.filter((r) => r.metric === metric).map((r) =>
        `${metricText(r.metric, r.mean)} (${r.model}, ${r.mode})`
      );
      if (metric === undefined) return undefined;
      return `${paint.cyan("●")} ${iterationName({ block: blockOf(e) })} ${e.iteration + 1} evaluated: ${
        labelInSentence(metric)
      } ${values.join(", ")}`;
    }
    case "loop_best":
      return `${paint.cyan("●")} Best ${iterationName(e)}: ${e.iteration + 1} (${e.metric} = ${
        significant(e.value)
      })`;
    case "loop_skipped":
      return `${paint.yellow("■")} ${displayName(e.block)} did not run: ${e.reason}`;
    case "loop_ended":
      return `${paint.cyan("●")} ${displayName(e.block)} ended after ${
        counted(e.iteration + 1, "iteration")
      }: ${e.reason}`;
    case "stage_failed":
      return `${paint.red("✗")} ${labelOf(e)}${iterationSuffix(e)}: ${e.message.split("\n")[0]}`;
    case "run_stopped":
      return `${paint.yellow("■")} ${e.message}`;
    case "run_finished":
      return `${paint.green("✓")} done in ${duration(e.seconds)}: ${counted(e.ran, "stage")} ran, ` +
        `${decimal(e.cached, 0)} cached`;
    default:
      return undefined;
  }
}

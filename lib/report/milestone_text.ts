/** What people read about a run, line by line: the words of both displays. @module */
import type { NodeName } from "@/lib/contracts/events.ts";
import type { Paint } from "./ansi.ts";
import { bytes, counted, decimal, duration, MISSING, significant } from "./format.ts";
import { leadingMetric } from "./headline.ts";
import { labelInSentence, metricText } from "./metric_catalogue.ts";
import { blockOf, labelOf, type Loop, type Milestone, type Round } from "./run_tracker.ts";

/** Stages of a plan that came from the store, copies and rounds counted: `sft, members.sft ×4, ppo rounds 1–20`. */
export function foldedNames(nodes: readonly NodeName[]): string {
  const groups = new Map<string, { copies: number; rounds: Set<number> }>();
  for (const node of nodes) {
    const name = node.iteration === undefined ? node.stage : blockOf(node);
    const group = groups.get(name) ?? { copies: 0, rounds: new Set<number>() };
    group.copies++;
    if (node.iteration !== undefined) group.rounds.add(node.iteration + 1);
    groups.set(name, group);
  }
  return [...groups].map(([name, { copies, rounds }]) => {
    if (rounds.size === 0) return copies > 1 ? `${name} ×${copies}` : name;
    const [first, last] = [Math.min(...rounds), Math.max(...rounds)];
    return first === last ? `${name} round ${first}` : `${name} rounds ${first}–${last}`;
  }).join(", ");
}

/** Heads of the table of rounds, and the width of each column. */
const COLUMNS = [
  { head: "round", width: 8 },
  { head: "reward", width: 9 },
  { head: "KL", width: 8 },
  { head: "tokens", width: 8 },
  { head: "ended", width: 9 },
  { head: "tokens/s", width: 10 },
  { head: "time left", width: 14 },
] as const;

/** The line above the rounds of a loop. */
export function roundHead(loop: Loop, paint: Paint): string {
  const cells = COLUMNS.map(({ head, width }, i) =>
    (i === 0 ? `${loop.block} ${head}` : head).padStart(width)
  );
  return paint.dim(cells.join(""));
}

/** One finished round as a row under `roundHead()`. */
export function roundRow(loop: Loop, round: Round, secondsLeft: number | undefined, paint: Paint): string {
  const value = (name: string) => metricText(name, round.values[name]);
  const cells = [
    `${round.iteration + 1}/${loop.total || "?"}`,
    value("reward"),
    value("kl_to_sft"),
    value("response_length"),
    value("eos_rate"),
    decimal(round.tokensPerSecond, 0),
    duration(secondsLeft),
  ].map((cell, i) => cell.padStart(COLUMNS[i]!.width));
  cells[0] = paint.green(cells[0]!);
  cells[1] = paint.bold(cells[1]!);
  return cells.join("") + (round.values["stopped"] === 1 ? paint.yellow("  stopped by KL") : "");
}

/** The same round as a sentence, for logs. */
export function roundSentence(loop: Loop, round: Round, secondsLeft: number | undefined): string {
  const parts = [
    ["reward", metricText("reward", round.values["reward"])],
    ["KL", metricText("kl_to_sft", round.values["kl_to_sft"])],
    ["tokens", metricText("response_length", round.values["response_length"])],
    ["ended", metricText("eos_rate", round.values["eos_rate"])],
    ["tokens/s", decimal(round.tokensPerSecond, 0)],
    ["left", duration(secondsLeft)],
  ].filter(([, text]) => text !== MISSING).map(([label, text]) => `${label} ${text}`);
  return `${loop.block} round ${round.iteration + 1}/${loop.total || "?"}: ${parts.join(", ")}`;
}

function warningText(node: NodeName, warning: string, paint: Paint): string {
  const round = node.iteration === undefined ? "" : ` round ${node.iteration + 1}`;
  return `${paint.yellow("!")} ${labelOf(node)}${round}: ${warning}`;
}

/** The line of a milestone that is not a round, or undefined for what needs none. */
export function milestoneLine(
  milestone: Exclude<Milestone, { kind: "round" }>,
  paint: Paint,
): string | undefined {
  if (milestone.kind === "cached") {
    const { nodes } = milestone;
    return `${paint.cyan("●")} ${counted(nodes.length, "stage")} from the store: ${
      paint.dim(foldedNames(nodes))
    }`;
  }
  if (milestone.kind === "earlier_warning") {
    return `${warningText(milestone.node, milestone.warning, paint)} ${paint.dim("(from the store)")}`;
  }
  const e = milestone.event;
  switch (e.type) {
    case "run_started":
      return `${paint.bold(e.manifest)} → ${e.run_dir}  ` +
        paint.dim(
          `${counted(e.nodes.length, "stage")}, seed ${e.seed}, ${
            counted(e.threads, "thread")
          }, ${e.executor}`,
        );
    case "estimated":
      return paint.dim(
        `  needs about ${bytes(e.memory_bytes)} of memory (${bytes(e.memory_free_bytes)} free) and ` +
          `${bytes(e.disk_bytes)} of disk (${bytes(e.disk_free_bytes)} free)`,
      );
    case "stage_progress":
      return e.warning === undefined ? undefined : warningText(e, e.warning, paint);
    case "stage_finished":
      if (e.iteration !== undefined) return undefined; // its round tells it
      return `${paint.green("✓")} ${labelOf(e).padEnd(16)} ${paint.dim(duration(e.seconds))}`;
    case "evals": {
      if (e.iteration === undefined) return undefined; // the comparison tells it
      const metric = leadingMetric(e.rows);
      const values = e.rows.filter((r) => r.metric === metric).map((r) =>
        `${metricText(r.metric, r.mean)} (${r.model}, ${r.mode})`
      );
      if (metric === undefined) return undefined;
      return `${paint.cyan("●")} ${blockOf(e)} round ${e.iteration + 1} evaluated: ${
        labelInSentence(metric)
      } ${values.join(", ")}`;
    }
    case "loop_best":
      return `${paint.cyan("●")} ${e.block}’s best round is ${e.iteration + 1}: ${e.metric} is ${
        significant(e.value)
      }`;
    case "loop_ended":
      return `${paint.cyan("●")} ${e.block} ended after ${counted(e.iteration + 1, "round")}: ${e.reason}`;
    case "stage_failed": {
      const round = e.iteration === undefined ? "" : ` (round ${e.iteration + 1})`;
      return `${paint.red("✗")} ${labelOf(e)}${round}: ${e.message.split("\n")[0]}`;
    }
    case "run_stopped":
      return `${paint.yellow("■")} ${e.message}`;
    case "run_finished":
      return `${paint.green("✓")} done in ${duration(e.seconds)}: ${counted(e.ran, "stage")} ran, ` +
        `${decimal(e.cached, 0)} came from the store`;
    default:
      return undefined;
  }
}

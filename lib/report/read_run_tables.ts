/** Reads what the stages of a run wrote, as far as the report needs it. @module */
import { join } from "node:path";
import { readEvals } from "@/lib/contracts/evals.ts";
import type { FinishedNode, RunResult } from "@/lib/contracts/events.ts";
import { readMetrics } from "@/lib/contracts/metrics.ts";
import { readPrompts } from "@/lib/contracts/prompts.ts";
import { readSamples } from "@/lib/contracts/samples.ts";
import { readTrainerState } from "@/lib/contracts/trainer_state.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import type { MetricValue, RunTables } from "./build_report.ts";

/** The path of an output that exists: optional ports may not have been written, old loop states may be pruned. */
function existing(node: FinishedNode, port: string): string | undefined {
  const path = node.outputs[port];
  if (path === undefined) return undefined;
  try {
    Deno.statSync(path);
    return path;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function parseObject(
  text: string,
  where: { readonly file: string; readonly column: string; readonly row: number },
) {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new DataError(
    `Cannot read column "${where.column}" of ${where.file} as it must hold JSON objects: row ${where.row} is ` +
      JSON.stringify(text.slice(0, 80)),
    where,
  );
}

/** The words that the words checker looks for, by prompt; other checkers leave none. */
function wordsOfPrompts(nodes: readonly FinishedNode[]): Map<string, string[]> {
  const words = new Map<string, string[]>();
  for (const node of nodes) {
    const file = node.uses === "tokenize" ? existing(node, "eval_prompts") : undefined;
    if (file === undefined) continue;
    for (const [row, { id, meta }] of readPrompts(file).rows.entries()) {
      if (meta === "") continue;
      const listed = parseObject(meta, { file, column: "meta", row })["words"];
      if (Array.isArray(listed)) words.set(id, listed.filter((w) => typeof w === "string" && w !== ""));
    }
  }
  return words;
}

/** The figures among the scores of an answer; booleans count as 0 and 1. */
function numbersIn(scores: Readonly<Record<string, unknown>>): Record<string, number> {
  const numbers: Record<string, number> = {};
  for (const [name, value] of Object.entries(scores)) {
    if (typeof value === "boolean") numbers[name] = Number(value);
    else if (typeof value === "number" && Number.isFinite(value)) numbers[name] = value;
  }
  return numbers;
}

/** Policy updates by the state of the last round, which counts from the first; null when no state is left. */
function policyUpdatesOf(nodes: readonly FinishedNode[]): number | null {
  const states = nodes.filter((node) => node.uses === "ppo-update").flatMap((node) =>
    existing(node, "state") ?? []
  );
  return states.length === 0 ? null : Math.max(...states.map((path) => readTrainerState(path).policyUpdates));
}

/** What build-reward says of its rewards; reports without warnings, of earlier versions, have none. */
function rewardsOf(nodes: readonly FinishedNode[]): RunTables["rewards"] {
  return nodes.flatMap((node) => {
    const directory = node.uses === "build-reward" ? existing(node, "report") : undefined;
    if (directory === undefined) return [];
    const file = join(directory, "report.json"), text = Deno.readTextFileSync(file);
    const { sentences, warnings } = parseObject(text, { file, column: "report", row: 0 });
    const texts = (value: unknown) => Array.isArray(value) ? value.filter((t) => typeof t === "string") : [];
    return [{ stage: node.stage, sentences: texts(sentences), warnings: texts(warnings) }];
  });
}

/**
 * The tables of a finished run.
 * @throws {DataError} if a file of the run breaks its contract
 */
export function readRunTables(result: RunResult): RunTables {
  const metrics = new Map<FinishedNode, readonly MetricValue[]>();
  for (const node of result.nodes) {
    const path = node.uses === "sft" || node.uses === "ppo-update" ? existing(node, "metrics") : undefined;
    if (path !== undefined) metrics.set(node, readMetrics(path));
  }
  // Evaluations inside a loop show how it went; the comparison is of what came out in the end.
  const evals = result.nodes.filter((node) => node.uses === "eval" && node.iteration === undefined);
  const inLoops = result.nodes.flatMap(({ iteration, ...node }) =>
    node.uses === "eval" && iteration !== undefined ? [{ ...node, iteration }] : []
  );
  const words = wordsOfPrompts(result.nodes);
  return {
    comparison: evals.flatMap((node) => {
      const path = existing(node, "evals");
      return path === undefined ? [] : readEvals(path).map((row) => ({ ...row }));
    }),
    evaluations: inLoops.flatMap((node) => {
      const path = existing(node, "evals");
      const { stage, iteration } = node;
      return path === undefined ? [] : readEvals(path).map((row) => ({ stage, iteration, ...row }));
    }).sort((a, b) => a.iteration - b.iteration),
    samples: evals.flatMap((node) => {
      const file = existing(node, "samples");
      if (file === undefined) return [];
      return readSamples(file).map((s, row) => ({
        model: s.model,
        mode: s.mode,
        prompt_id: s.promptId,
        prompt: s.prompt,
        words: words.get(s.promptId) ?? [],
        response: s.response,
        finish_reason: s.finishReason,
        scores: s.scores === "" ? {} : numbersIn(parseObject(s.scores, { file, column: "scores", row })),
      }));
    }),
    metrics,
    rewards: rewardsOf(result.nodes),
    policyUpdates: policyUpdatesOf(result.nodes),
  };
}

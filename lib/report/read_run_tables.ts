/** Reads the tables of a run that the report needs. @module */
import { isMissing } from "@/lib/data/files/paths.ts";
import { join } from "node:path";
import { readDifferences } from "@/lib/data/contracts/differences.ts";
import { benchmarkOf, readEvals } from "@/lib/data/contracts/evals.ts";
import type { FinishedNode, RunResult } from "@/lib/data/contracts/events.ts";
import { readMetrics } from "@/lib/data/contracts/metrics.ts";
import { readPrompts } from "@/lib/data/contracts/prompts.ts";
import { readSamples } from "@/lib/data/contracts/samples.ts";
import type { StageRole } from "@/lib/data/contracts/stage.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { RunTables } from "./build_report.ts";
import { rewardName } from "./reward_name.ts";
import { isComparison } from "./run_tracker.ts";

/** Returns the path of an output that exists: optional ports may not have been written, old loop states may be gone. */
function existing(node: FinishedNode, port: string): string | undefined {
  const path = node.outputs[port];
  if (path === undefined) return undefined;
  try {
    Deno.statSync(path);
    return path;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Returns the rows of an output of all `nodes`; none where it does not exist. */
function rowsOf<Row>(
  nodes: readonly FinishedNode[],
  port: string,
  read: (path: string, node: FinishedNode) => readonly Row[],
): Row[] {
  return nodes.flatMap((node) => {
    const path = existing(node, port);
    return path === undefined ? [] : read(path, node);
  });
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
    `${where.file}: column "${where.column}", row ${where.row}, must be a JSON object, got ${
      JSON.stringify(text.slice(0, 80))
    }`,
    where,
  );
}

/** Returns the words that a checker looks for, by prompt; only some checkers have words. */
function wordsOfPrompts(nodes: readonly FinishedNode[]): Map<string, string[]> {
  return new Map(
    rowsOf(nodes, "eval_prompts", (file) =>
      readPrompts(file).rows.flatMap(({ id, meta }, row) => {
        const listed = meta === "" ? undefined : parseObject(meta, { file, column: "meta", row })["words"];
        return Array.isArray(listed)
          ? [[id, listed.filter((w) => typeof w === "string" && w !== "")] as const]
          : [];
      })),
  );
}

/** Returns the numbers among the scores of a response; booleans count as 0 and 1. */
function numbersIn(scores: Readonly<Record<string, unknown>>): Record<string, number> {
  const numbers: Record<string, number> = {};
  for (const [name, value] of Object.entries(scores)) {
    if (typeof value === "boolean") numbers[name] = Number(value);
    else if (typeof value === "number" && Number.isFinite(value)) numbers[name] = value;
  }
  return numbers;
}

/** Returns texts and rewards of a response's tokens, if its scores have them. */
function tokenRewardsIn(
  { token_rewards: tokens }: Readonly<Record<string, unknown>>,
): [string, number][] | undefined {
  const isPair = (value: unknown): value is [string, number] =>
    Array.isArray(value) && typeof value[0] === "string" && Number.isFinite(value[1]);
  return Array.isArray(tokens) && tokens.every(isPair)
    ? tokens.map(([text, reward]) => [text, reward])
    : undefined;
}

/** Reads what was found out about a reward; reports of earlier versions have no warnings. */
function readRewardReport(directory: string, node: FinishedNode): RunTables["rewards"] {
  const file = join(directory, "report.json");
  const { sentences, warnings } = parseObject(Deno.readTextFileSync(file), {
    file,
    column: "report",
    row: 0,
  });
  const texts = (value: unknown) => Array.isArray(value) ? value.filter((t) => typeof t === "string") : [];
  return [{
    stage: node.stage,
    name: rewardName(node),
    sentences: texts(sentences),
    warnings: texts(warnings),
  }];
}

/**
 * Reads the tables of a finished run.
 * @throws {DataError} if a file of the run breaks its contract
 */
export function readRunTables({ nodes }: RunResult): RunTables {
  const having = (...roles: StageRole[]) =>
    nodes.filter(({ role }) => role !== undefined && roles.includes(role));
  // Evaluations inside a loop show its progress; the comparison is of the final models.
  const compared = nodes.filter(isComparison);
  const words = wordsOfPrompts(having("data"));
  const rows = rowsOf(compared, "evals", readEvals).map((row) => ({
    row,
    benchmark: benchmarkOf(row.metric),
  }));
  return {
    comparison: rows.filter(({ benchmark }) => !benchmark).map(({ row }) => ({ ...row })),
    differences: rowsOf(compared, "differences", readDifferences),
    benchmarks: rows.flatMap(({ row: { model, mean, stderr, n }, benchmark }) =>
      benchmark ? [{ model, ...benchmark, mean, stderr, n }] : []
    ),
    evaluations: rowsOf(
      having("evaluate"),
      "evals",
      (path, { stage, iteration }) =>
        iteration === undefined ? [] : readEvals(path).map((row) => ({ stage, iteration, ...row })),
    )
      .sort((a, b) => a.iteration - b.iteration),
    samples: rowsOf(compared, "samples", (file) =>
      readSamples(file).map((s, row) => {
        const scores = s.scores === "" ? {} : parseObject(s.scores, { file, column: "scores", row });
        const rewards = tokenRewardsIn(scores);
        return {
          model: s.model,
          mode: s.mode,
          prompt_id: s.promptId,
          prompt: s.prompt,
          words: words.get(s.promptId) ?? [],
          response: s.response,
          finish_reason: s.finishReason,
          scores: numbersIn(scores),
          ...(rewards && { token_rewards: rewards }),
        };
      })),
    metrics: new Map(
      rowsOf(having("train", "update"), "metrics", (path, node) => [[node, readMetrics(path)] as const]),
    ),
    rewards: rowsOf(having("reward"), "report", readRewardReport),
  };
}

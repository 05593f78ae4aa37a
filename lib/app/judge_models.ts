/** The judge's part of `deno task evaluate`: compares responses to AlpacaEval's instructions with those of a baseline. @module */
import { join } from "node:path";
import { z } from "zod";
import { URL_TOKEN, urlToken } from "@/lib/data/contracts/reached_hosts.ts";
import { readCsv } from "@/lib/data/files/csv.ts";
import { readJson, writeJson } from "@/lib/data/files/json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { type AlpacaOutput, alpacaOutputs } from "@/lib/model/benchmarks/alpaca/alpaca_outputs.ts";
import { judgePairs } from "@/lib/model/benchmarks/alpaca/judge_pairs.ts";
import { type GamedRow, type WinRates, winRates } from "@/lib/model/benchmarks/alpaca/win_rates.ts";
import type { NamedRun } from "@/lib/model/benchmarks/run/compare_models.ts";
import type { BenchmarkDocument } from "@/lib/model/benchmarks/tasks/task.ts";
import type { EvaluateFlags } from "./evaluate_flags.ts";

const Outputs = z.array(z.object({ instruction: z.string(), output: z.string(), generator: z.string() })).min(
  1,
);

/**
 * Returns the win rates of every model; writes the annotations with `--out`.
 * @throws {DataError} if the baseline's file or the gamed rows are invalid
 */
export async function judgeModels(
  flags: EvaluateFlags,
  docs: readonly BenchmarkDocument[],
  runs: readonly NamedRun[],
  onPair: () => void,
): Promise<Record<string, WinRates>> {
  const baseline = readOutputs(flags.baseline!),
    gamed = flags.gamed === undefined ? undefined : readGamed(flags.gamed);
  const token = urlToken(Deno.env.get(URL_TOKEN), flags.judgeUrl!);
  const judge = { url: flags.judgeUrl!, model: flags.judgeModel, token, onPair };
  const rates: Record<string, WinRates> = {};
  for (const { model, run } of runs) {
    console.error(`${model}: ${docs.length} comparisons by ${flags.judgeModel}`);
    const pairs = await judgePairs(baseline, alpacaOutputs(docs, run, model), judge);
    if (flags.out !== undefined) writeJson(join(flags.out, `alpaca_eval.${model}.annotations.json`), pairs);
    rates[model] = winRates(pairs, gamed);
  }
  return rates;
}

function readOutputs(path: string): AlpacaOutput[] {
  const parsed = Outputs.safeParse(readJson(path));
  if (parsed.success) return parsed.data.map((row) => ({ ...row, datasplit: "eval" }));
  throw new DataError(`${path} must be a JSON list of objects with instruction, output and generator`, {
    file: path,
  });
}

function readGamed(path: string): GamedRow[] {
  return readCsv(path).map(({ line, value }) => {
    const numbers = Object.fromEntries(
      ["index", "preference", "std_delta_len", "instruction_difficulty"].map((
        name,
      ) => [name, Number(value[name])]),
    );
    const bad = Object.keys(numbers).filter((name) =>
      value[name] === undefined || Number.isNaN(numbers[name])
    );
    if (bad.length > 0) {
      throw new DataError(`${path}:${line}: requires numbers in ${bad.join(", ")}`, { file: path, line });
    }
    return numbers as unknown as GamedRow;
  });
}

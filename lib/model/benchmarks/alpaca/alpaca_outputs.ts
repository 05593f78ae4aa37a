/** The outputs of a model in the format of AlpacaEval (`model_outputs.json`). @module */
import type { BenchmarkRun } from "../run/run_benchmark.ts";
import type { BenchmarkDocument } from "../tasks/task.ts";

/** One row. */
export interface AlpacaOutput {
  readonly instruction: string;
  readonly output: string;
  readonly generator: string;
  readonly dataset?: string;
  readonly datasplit: "eval";
}

/** Returns the first response to each instruction, in order, as `alpaca_eval --model_outputs` reads them. */
export function alpacaOutputs(
  docs: readonly BenchmarkDocument[],
  { documents }: BenchmarkRun,
  generator: string,
): AlpacaOutput[] {
  return docs.map((doc, i) => ({
    ...(typeof doc.dataset === "string" ? { dataset: doc.dataset } : {}),
    instruction: String(doc.instruction),
    output: documents[i]!.responses[0]!.text,
    generator,
    datasplit: "eval",
  }));
}

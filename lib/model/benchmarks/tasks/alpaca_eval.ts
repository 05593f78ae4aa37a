/** AlpacaEval 2: responses to its 805 instructions, which a judge compares with a baseline's (see `alpaca/`). @module */
import type { BenchmarkTask } from "./task.ts";

/** The task; its own outcome is only whether there is a response. */
export const ALPACA_EVAL: BenchmarkTask = {
  name: "alpaca_eval",
  version: "2",
  origin: "alpaca-eval 0.6.6",
  source: { dataset: "tatsu-lab/alpaca_eval", split: "eval" },
  template: "{{instruction}}",
  output: {
    kind: "generate",
    stops: [],
    maxNewTokens: 2048,
    score: (_, response) => ({ metrics: { is_answered: response.trim() === "" ? 0 : 1 } }),
  },
};

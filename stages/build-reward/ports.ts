/** Inputs and outputs of `build-reward`. @module */
import type { Ports, StageContext } from "@/lib/data/contracts/stage.ts";
import type { Params } from "./params.ts";

/** The models of the reward, and what calibration and preflight need. */
export const inputs = {
  members: {
    contract: ["model", "models"],
    description: "SFT models, the members of the bagged reward; one gives the paper's reward",
    many: "list",
  },
  base: { contract: "model", description: "base model, from which the SFT models were trained" },
  baseline: {
    contract: "model",
    description: "model whose log-probabilities are subtracted instead of those of the base",
    optional: true,
  },
  checkpoints: {
    contract: ["model", "models"],
    description: "intermediate SFT checkpoints, candidates of reward_checkpoint=auto",
    many: "list",
    optional: true,
  },
  sft: {
    contract: "model",
    description: "SFT model that calibration and preflight sample from",
    optional: true,
  },
  prompts: { contract: "prompts@1", description: "prompts for calibration", optional: true },
  held_out: {
    contract: "tokens@1",
    description: "demonstrations that members have not seen: one file for all, or one per member",
    many: "list",
    optional: true,
  },
  eval_prompts: {
    contract: "prompts@1",
    description: "prompts for the preflight; default: those of prompts",
    optional: true,
  },
  checker: {
    contract: "file",
    description: "module that exports check(), instead of the parameter checker",
    optional: true,
  },
} as const satisfies Ports;

/** The reward and its report. */
export const outputs = {
  reward: { contract: "reward", description: "directory with reward.json and the models" },
  report: { contract: "report", description: "directory with report.json: calibration, preflight, warnings" },
  metrics: {
    contract: "metrics@1",
    description: "verdict (1 helps, 0 no signal, −1 harms) and measures; empty without sft and prompts",
    optional: true,
  },
} as const satisfies Ports;

/** What the stage's function receives. */
export type Context = StageContext<Params, typeof inputs, typeof outputs>;

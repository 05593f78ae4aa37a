/**
 * One PPO iteration as a pipeline runs it: the stages rollout, score and ppo-update, on files. The reward is the paper's,
 * one member, which is the SFT model, against the base; KL to SFT; a critic of its own; one minibatch per epoch.
 * @module
 */
import { join } from "node:path";
import { digestDirectory } from "@/lib/files/digest.ts";
import { tokenizerDigest } from "@/lib/contracts/model_directory.ts";
import { writePrompts } from "@/lib/contracts/prompts.ts";
import { writeReward } from "@/lib/contracts/reward_directory.ts";
import type { InputPaths } from "@/lib/contracts/stage.ts";
import { criticFrom, writeModel } from "@/lib/models/checkpoint.ts";
import { loadStage } from "../registry.ts";
import type { CaseResult, CaseSpec, WarmedUp } from "./bench_case.ts";
import {
  benchModel,
  type BenchShape,
  forwardFlops,
  randomIds,
  randomWeights,
  SHAPES,
  trainFlops,
} from "./shapes.ts";
import { repeater, summarise } from "./timing.ts";

const EPOCHS = 4;

/** The stages of an iteration, in order. */
const STAGES = ["rollout", "score", "ppo-update"] as const;

/** Where what an iteration begins from lies. */
interface Beginning {
  readonly prompts: string;
  readonly sft: string;
  readonly reward: string;
}

/** What one iteration hands to the next. */
interface Carried {
  readonly policy: string;
  readonly critic: string;
  readonly state: string | undefined;
}

/** Iterations of `batch` rollouts of `length` tokens, a quarter of them prompt, in the empty directory `directory`. */
export async function benchIteration(
  spec: CaseSpec,
  warmedUp: WarmedUp,
  directory: string,
): Promise<CaseResult> {
  const shape = SHAPES[spec.shape];
  const prompt = Math.max(1, spec.length >> 2), response = spec.length - prompt;
  const { beginning, carried, parameters } = await writeBeginning(directory, shape, spec, prompt);
  const params = {
    rollout: { rollouts: spec.batch, max_new_tokens: response, batch_size: spec.batch },
    score: {},
    "ppo-update": {
      epochs: EPOCHS,
      minibatch_size: spec.batch,
      critic_warmup_iterations: 0,
      lr_warmup_iterations: 0,
      kl_stop_per_token: null,
      kept_samples: 0,
    },
  };
  const stageMs: Record<(typeof STAGES)[number], number[]> = { rollout: [], score: [], "ppo-update": [] };

  /** Runs one iteration, removes its rollouts, and gives what it carries on. */
  async function iterate(round: number, from: Carried): Promise<Carried> {
    const to = join(directory, `round-${round}`);
    Deno.mkdirSync(to);
    const file = (name: string) => join(to, name);
    const outputs = {
      rollout: { rollouts: file("rollouts.arrow") },
      score: { scored: file("scored.arrow") },
      "ppo-update": {
        policy: file("policy"),
        critic: file("critic"),
        state: file("state"),
        metrics: file("metrics.arrow"),
        samples: file("samples.arrow"),
      },
    };
    const { prompts, reward, sft } = beginning;
    const inputs: Record<(typeof STAGES)[number], InputPaths> = {
      rollout: { prompts, policy: from.policy },
      score: { rollouts: outputs.rollout.rollouts, reward, sft },
      "ppo-update": { scored: outputs.score.scored, ...from },
    };
    for (const id of STAGES) {
      const stage = await loadStage(id);
      const startedAt = performance.now();
      await stage.run({
        params: stage.params.parse(params[id]),
        inputs: inputs[id],
        outputs: outputs[id],
        seed: 1,
        iteration: round,
        threads: spec.threads,
        signal: new AbortController().signal,
        progress: () => {},
      });
      stageMs[id].push(performance.now() - startedAt);
    }
    if (from.state !== undefined) Deno.removeSync(join(directory, `round-${round - 1}`), { recursive: true });
    const { policy, critic, state } = outputs["ppo-update"];
    return { policy, critic, state };
  }

  let last = await iterate(0, carried);
  for (const times of Object.values(stageMs)) times.length = 0;
  const ceilings = warmedUp(), ms: number[] = [];
  const more = repeater({ steps: spec.steps, seconds: 20, least: 3 });
  for (let round = 1; more(); round++) {
    ceilings.all();
    last = await iterate(round, last);
    ms.push(STAGES.reduce((sum, id) => sum + stageMs[id].at(-1)!, 0));
  }
  ceilings.all();
  const stages = Object.fromEntries(STAGES.map((id) => [id, summarise(stageMs[id])]));
  const flops = iterationFlops(shape, parameters, spec.batch, prompt, response);
  return {
    ms,
    tokens: spec.batch * response,
    flops,
    details: { parameters, prompt_length: prompt, response_length: response, stages_ms: stages },
  };
}

/** Writes prompts, models and reward. */
async function writeBeginning(directory: string, shape: BenchShape, spec: CaseSpec, prompt: number) {
  const model = benchModel(shape, spec.length);
  const write = (name: string, seed: number) => {
    const parameters = randomWeights(model, seed), path = join(directory, name);
    Deno.mkdirSync(path, { recursive: true });
    writeModel(path, { model, parameters });
    return { path, parameters };
  };
  const sft = write("sft", 1), reward = join(directory, "reward");
  write("reward/base", 2);
  const critic = join(directory, "critic");
  Deno.mkdirSync(critic);
  writeModel(critic, criticFrom({ model, parameters: sft.parameters }));
  Deno.mkdirSync(join(reward, "member"));
  writeModel(join(reward, "member"), { model, parameters: sft.parameters });
  const source = (name: string) => ({ path: name, digest: digestDirectory(join(reward, name)).digest });
  writeReward(reward, {
    members: [source("member")],
    base: source("base"),
    combine: "mean",
    floor: null,
    eosBound: null,
    lengthNorm: "none",
    eosIds: [],
    calibration: {},
  });
  const prompts = join(directory, "prompts.arrow");
  await writePrompts(prompts, {
    rows: Array.from({ length: spec.batch }, (_, i) => ({
      id: `${i}`,
      promptIds: randomIds(prompt, shape.vocab, i),
      meta: "{}",
    })),
    tokenizerDigest: tokenizerDigest(sft.path),
  });
  const beginning: Beginning = { prompts, sft: sft.path, reward };
  const carried: Carried = { policy: sft.path, critic, state: undefined };
  return { beginning, carried, parameters: sft.parameters.data.length };
}

/**
 * Arithmetic of an iteration: decoding; scoring by SFT model and base, and by the base once more without prompts; the
 * critic's values; epochs of both networks. Only response tokens meet an output matrix, a critic's has one column.
 */
function iterationFlops(
  shape: BenchShape,
  parameters: number,
  rows: number,
  prompt: number,
  response: number,
): number {
  const whole = { rows, length: prompt + response, headTokens: rows * response };
  const values = { ...whole, headTokens: 0 };
  const fluency = { rows, length: response };
  const forward = 3 * forwardFlops(shape, parameters, whole) + forwardFlops(shape, parameters, fluency) +
    forwardFlops(shape, parameters, values);
  const training = trainFlops(shape, parameters, whole) + trainFlops(shape, parameters, values);
  return forward + EPOCHS * training;
}

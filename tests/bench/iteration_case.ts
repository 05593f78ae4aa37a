/**
 * One PPO iteration as in a pipeline: the stages rollout, score and ppo-update, on files. The reward is the paper's, with
 * the SFT model as its only member; KL to SFT; a separate critic; one minibatch per epoch.
 * @module
 */
import { join } from "node:path";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { removeIfThere } from "@/lib/data/files/remove_if_there.ts";
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import { writePrompts } from "@/lib/data/contracts/prompts.ts";
import { writeReward } from "@/lib/data/contracts/reward_directory.ts";
import type { InputPaths } from "@/lib/data/contracts/stage.ts";
import { criticFrom, writeModel } from "@/lib/model/models/checkpoint.ts";
import { stages } from "@/lib/app/registry.ts";
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

type StageId = (typeof STAGES)[number];

/** Files that every iteration reads. */
interface Beginning {
  readonly prompts: string;
  readonly sft: string;
  readonly reward: string;
}

/** Outputs of an iteration that the next one reads. */
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
  const params = paramsOf(spec, response);
  const stageMs: Record<StageId, number[]> = { rollout: [], score: [], "ppo-update": [] };

  /** Runs one iteration and deletes the files of the one before. */
  async function iterate(iteration: number, from: Carried): Promise<Carried> {
    const { inputs, outputs, carried } = filesOf(join(directory, `iteration-${iteration}`), beginning, from);
    for (const id of STAGES) {
      const stage = await stages.load(id);
      const startedAt = performance.now();
      await stage.run({
        params: stage.params.parse(params[id]),
        inputs: inputs[id],
        outputs: outputs[id],
        seed: 1,
        iteration,
        threads: spec.threads,
        ...(spec.device !== undefined && { device: spec.device }),
        signal: new AbortController().signal,
        progress: () => {},
      });
      stageMs[id].push(performance.now() - startedAt);
    }
    removeIfThere(join(directory, `iteration-${iteration - 1}`));
    return carried;
  }

  let last = await iterate(0, carried);
  for (const times of Object.values(stageMs)) times.length = 0;
  const ceilings = warmedUp(), ms: number[] = [];
  const more = repeater({ steps: spec.steps, seconds: 20, least: 3 });
  for (let iteration = 1; more(); iteration++) {
    ceilings.all();
    last = await iterate(iteration, last);
    ms.push(STAGES.reduce((sum, id) => sum + stageMs[id].at(-1)!, 0));
  }
  ceilings.all();
  const times = Object.fromEntries(STAGES.map((id) => [id, summarise(stageMs[id])]));
  return {
    ms,
    tokens: spec.batch * response,
    flops: iterationFlops(shape, parameters, { rows: spec.batch, prompt, response }),
    details: { parameters, prompt_length: prompt, response_length: response, stages_ms: times },
  };
}

function paramsOf({ batch }: CaseSpec, response: number): Record<StageId, Record<string, unknown>> {
  return {
    rollout: { prompts_per_iteration: batch, max_new_tokens: response, batch_size: batch },
    score: {},
    "ppo-update": {
      epochs: EPOCHS,
      minibatch_size: batch,
      critic_warmup_iterations: 0,
      lr_warmup_iterations: 0,
      kl_stop_per_token: null,
      kept_samples: 0,
    },
  };
}

/** Creates the directory of an iteration and returns inputs and outputs of its stages. */
function filesOf(directory: string, { prompts, reward, sft }: Beginning, from: Carried): {
  readonly inputs: Record<StageId, InputPaths>;
  readonly outputs: Record<StageId, Record<string, string>>;
  readonly carried: Carried;
} {
  Deno.mkdirSync(directory);
  const file = (name: string) => join(directory, name);
  const rollouts = file("rollouts.arrow"), scored = file("scored.arrow");
  const carried = { policy: file("policy"), critic: file("critic"), state: file("state") };
  return {
    inputs: {
      rollout: { prompts, policy: from.policy },
      score: { rollouts, reward, sft },
      "ppo-update": { scored, ...from },
    },
    outputs: {
      rollout: { rollouts },
      score: { scored },
      "ppo-update": { ...carried, metrics: file("metrics.arrow"), samples: file("samples.arrow") },
    },
    carried,
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
 * Returns the floating point operations of an iteration: decoding; scoring by SFT model and base, and by the base without
 * prompts; the critic's values; epochs of both networks. Only response tokens are multiplied by an output matrix; a
 * critic's has one column.
 */
function iterationFlops(
  shape: BenchShape,
  parameters: number,
  { rows, prompt, response }: { readonly rows: number; readonly prompt: number; readonly response: number },
): number {
  const whole = { rows, length: prompt + response, headTokens: rows * response };
  const values = { ...whole, headTokens: 0 };
  const fluency = { rows, length: response };
  const forward = 3 * forwardFlops(shape, parameters, whole) + forwardFlops(shape, parameters, fluency) +
    forwardFlops(shape, parameters, values);
  const training = trainFlops(shape, parameters, whole) + trainFlops(shape, parameters, values);
  return forward + EPOCHS * training;
}

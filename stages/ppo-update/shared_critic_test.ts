/** The stage with a value head on the policy (critic_trunk=shared), on files. @module */
import { assert, assertAlmostEquals, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { openSafetensors } from "@/lib/data/files/safetensors.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { loadLanguageModel } from "@/lib/model/models/checkpoint.ts";
import { params as schema } from "./params.ts";
import { resolvedParams } from "./presets.ts";
import { loadTrainer, saveTrainer } from "./trainer.ts";
import {
  CRITIC,
  type Iteration,
  type IterationInputs,
  scoredRollouts,
  SFT,
  update,
} from "@/tests/support/ppo_iterations.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";

const ROWS = scoredRollouts(SFT);
const SHARED = { critic_trunk: "shared" };
const weights = (directory: string) => loadLanguageModel(directory).parameters.data;

/** Weights of the value head in a state. */
function valueHead(state: string): Float32Array {
  using file = openSafetensors(join(state, "optimizer.safetensors"));
  const name = "critic.value_head.weight", into = new Float32Array(file.info(name).shape[0]!);
  file.readFloat32(name, into);
  return into;
}

async function iterations(
  directory: TemporaryDirectory,
  count: number,
  params: Record<string, unknown> = {},
  from: IterationInputs = { policy: SFT },
  first = 0,
): Promise<Iteration[]> {
  const all: Iteration[] = [];
  for (let iteration = first; iteration < first + count; iteration++) {
    const last = all.at(-1), start = last ? { policy: last.policy, state: last.state } : from;
    const rows = scoredRollouts(start.policy, iteration);
    all.push(await update(directory, start, rows, { params: { ...SHARED, ...params }, iteration }));
  }
  return all;
}

Deno.test("a shared critic needs no critic: policy and value head are updated, the policy is a language model, the head is in the state", async () => {
  using directory = new TemporaryDirectory();
  const [after] = await iterations(directory, 1), { metrics } = after!;
  assertEquals([metrics.policy_updates, metrics.critic_updates], [4, 4]);
  assertNotEquals(weights(after!.policy), weights(SFT));
  assert(valueHead(after!.state).some((x) => x !== 0));
  assertEquals(existsSync(after!.critic), false);
  assert(metrics.value_loss! > 0 && metrics.critic_grad_norm! > 0 && metrics.policy_grad_norm! > 0);
  assertAlmostEquals(metrics.first_ratio_deviation!, 0, 1e-3);
  // A head of zeros is a plain critic of zeros at first, so the advantages are those of a separate critic.
  const separate = await update(directory, { policy: SFT, critic: SFT }, ROWS);
  const names = ["advantage_min", "advantage_max", "return_std", "explained_variance"] as const;
  for (const name of names) assertAlmostEquals(metrics[name]!, separate.metrics[name]!, 1e-6, name);
});

Deno.test("two iterations with a shared critic and two more from their files equal four iterations", async () => {
  using directory = new TemporaryDirectory();
  const whole = await iterations(directory, 4), half = whole[1]!;
  const rest = await iterations(directory, 2, {}, { policy: half.policy, state: half.state }, 2);
  const bytes = ({ policy, state }: Iteration) => [policy, state].map((path) => digestDirectory(path).digest);
  assertEquals(bytes(rest[1]!), bytes(whole[3]!));
});

Deno.test("during its warm-up a shared critic learns while the policy keeps its bytes, also with weight decay", async () => {
  using directory = new TemporaryDirectory();
  const all = await iterations(directory, 3, { critic_warmup_iterations: 2, weight_decay: 0.1 });
  for (const { policy } of all.slice(0, 2)) assertEquals(weights(policy), weights(SFT));
  assertNotEquals(weights(all[2]!.policy), weights(SFT));
  assertEquals(all.map(({ metrics }) => [metrics.policy_updates, metrics.critic_updates]), [[0, 4], [0, 8], [
    4,
    12,
  ]]);
  assertNotEquals(valueHead(all[1]!.state), valueHead(all[0]!.state));
});

Deno.test("the value loss trains the trunk by vf_coef, with residual and plain values", async () => {
  using directory = new TemporaryDirectory();
  const seen: string[] = [];
  for (const residual_critic of [true, false]) {
    for (const vf_coef of [1e-9, 0.5]) {
      // The head is zero in the first update, where the value loss has no gradient to the trunk.
      const [after] = await iterations(directory, 1, { residual_critic, vf_coef });
      seen.push(digestDirectory(after!.policy).digest);
    }
  }
  assertEquals(new Set(seen).size, 4);
});

Deno.test("after an early stop the value head is still updated, the policy is not", async () => {
  using directory = new TemporaryDirectory();
  const [after] = await iterations(directory, 1, { target_kl: 1e-12, epochs: 3 }), { metrics } = after!;
  assertEquals([metrics.early_stopped, metrics.critic_updates], [1, 6]);
  assert(metrics.policy_updates! < 6);
});

Deno.test("an adapter with a shared critic is trained and written as an adapter, and continues from its state", async () => {
  using directory = new TemporaryDirectory();
  const policy = "fixtures/goldens/lora/adapter", params = resolvedParams(schema.parse(SHARED));
  const outputs = (name: string) => ({
    policy: directory.file(`${name}/policy`),
    critic: directory.file(`${name}/critic`),
    state: directory.file(`${name}/state`),
    ema: directory.file(`${name}/ema`),
  });
  const trainer = loadTrainer({ policy }, params), first = outputs("first");
  trainer.critic!.weights.host.data.fill(0.5);
  trainer.policy.optimizer.firstMoment.data.fill(0.25);
  await saveTrainer(trainer, { policy }, first);
  assertEquals(loadLanguageModel(first.policy).parameters.data, loadLanguageModel(policy).parameters.data);
  const again = loadTrainer({ policy: first.policy, state: first.state }, params), second = outputs("second");
  assertEquals(again.critic!.weights.host.data, trainer.critic!.weights.host.data);
  await saveTrainer(again, { policy: first.policy }, second);
  assertEquals(digestDirectory(second.state), digestDirectory(first.state));
});

Deno.test("a given critic is copied, and a state of a separate critic is refused by name", async () => {
  using directory = new TemporaryDirectory();
  const after = await update(directory, { policy: SFT, critic: CRITIC }, ROWS, { params: SHARED });
  assertEquals(digestDirectory(after.critic), digestDirectory(CRITIC));
  const { policy, critic, state } = await update(directory, { policy: SFT, critic: CRITIC }, ROWS);
  const error = await assertRejects(
    () => update(directory, { policy, critic, state }, scoredRollouts(policy, 1), { params: SHARED }),
    DataError,
  );
  assert(/not the optimizer state of this model: critic\.value_head\.weight is missing/.test(error.message));
});

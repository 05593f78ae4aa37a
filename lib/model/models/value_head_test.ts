/** A language model with a value head: its values and gradients against those of a critic with the same weights. @module */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { fillNormal } from "@/lib/compute/random/normal.ts";
import { makeKey } from "@/lib/compute/random/uniform.ts";
import { type MicroBatch, microBatches, type Sequence, targetsFrom } from "@/lib/model/train/batching.ts";
import { onValueHead } from "@/lib/model/train/head_program.ts";
import { Network } from "@/lib/model/train/network.ts";
import { policyProgram, twoHeadProgram, valueProgram } from "@/lib/model/train/ppo_programs.ts";
import { tokenLogprobs, tokenValues } from "@/lib/model/train/token_logprobs.ts";
import { criticFrom, loadModel } from "./checkpoint.ts";
import { withValueHead } from "./value_head.ts";

const PLAIN = "fixtures/goldens/srppo/sft", ADAPTER = "fixtures/goldens/lora/adapter";
const SEQUENCES: readonly Sequence[] = [[1, 40, 50, 7, 81, 2], [1, 9, 30, 60, 61, 62, 63], [1, 70, 71, 2]]
  .map(
    (ids) => ({ ids: Int32Array.from(ids), targets: targetsFrom(2, ids.length) }),
  );
const COUNT = SEQUENCES.reduce((sum, { targets }) => sum + targets.length, 0);

/** A model with a value head of random weights, trainable. */
function twoHeaded(directory: string) {
  const made = withValueHead(loadModel(directory)),
    network = new Network(made.model, made.parameters, {
      trainable: true,
    });
  const { valueHead } = made.parts(made.parameters);
  fillNormal(valueHead.data, makeKey(1, "head"), { std: 0.3 });
  return { ...made, network, valueHead };
}

const numbers = (name: string) => {
  const values = new Float32Array(COUNT);
  fillNormal(values, makeKey(2, name), { std: 1 });
  return values;
};
const TOKENS = {
  oldLogprob: numbers("old").map((x) => -3 + x / 4),
  advantage: numbers("advantage"),
  weight: new Float32Array(COUNT).fill(1 / COUNT),
  offset: numbers("offset"),
  oldValue: numbers("old value"),
  return: numbers("return"),
  valueWeight: new Float32Array(COUNT).fill(0.5 / COUNT),
};
const OPTIONS = {
  clip: { clipLow: 0.2, clipHigh: 0.2, dualClip: null },
  temperature: 1,
  entropyCoefficient: 0,
};

/** Runs a program with a backward pass over all sequences in one micro-batch. */
function trained(network: Network, program: ReturnType<typeof policyProgram>, tokens = TOKENS) {
  const [micro] = microBatches(SEQUENCES, 4096) as [MicroBatch];
  network.gradients!.data.fill(0);
  const { batch, positions, targetIds } = micro;
  const result = network.run({
    batch,
    positions,
    program,
    tokens: { ...tokens, id: targetIds },
    train: true,
  });
  return { ...result, gradient: network.gradients!.data.slice() };
}

Deno.test("a value head gives the values of a critic with its weights, and the gradient of the trunk", () => {
  const { network, valueHead, parameters } = twoHeaded(PLAIN), critic = criticFrom(loadModel(PLAIN));
  critic.parameters.view("score.weight").set(valueHead.data);
  const separate = new Network(critic.model, critic.parameters, { trainable: true });
  tokenValues(network, SEQUENCES).forEach((row, i) => {
    const expected = tokenValues(separate, SEQUENCES)[i]!;
    row.forEach((value, t) => assertAlmostEquals(value, expected[t]!, 1e-6));
  });
  const program = valueProgram(0.2),
    ours = trained(network, onValueHead(program)),
    theirs = trained(separate, program);
  assertAlmostEquals(ours.loss, theirs.loss, 1e-6);
  for (const { name } of parameters.specs) {
    const gradient = network.gradients!.view(name);
    const expected = name === "value_head.weight"
      ? separate.gradients!.view("score.weight")
      : separate.gradients!.has(name)
      ? separate.gradients!.view(name)
      : new Float32Array(gradient.length); // the output weights
    gradient.forEach((x, i) => assertAlmostEquals(x, expected[i]!, 1e-5, name));
  }
  assert(network.gradients!.view("value_head.weight").some((x) => Math.abs(x) > 0.01));
});

for (const directory of [PLAIN, ADAPTER]) {
  Deno.test(`${directory}: one pass over both heads adds the losses and gradients of two passes`, () => {
    const { network, model, parts } = twoHeaded(directory);
    const policy = trained(network, policyProgram(OPTIONS));
    const value = trained(network, onValueHead(valueProgram(0.2)), { ...TOKENS, weight: TOKENS.valueWeight });
    const both = trained(network, twoHeadProgram(OPTIONS, 0.2));
    assertAlmostEquals(both.loss, policy.loss + value.loss, 1e-6);
    both.gradient.forEach((x, i) => assertAlmostEquals(x, policy.gradient[i]! + value.gradient[i]!, 1e-5));
    assertEquals([...both.tokens.logprob!], [...policy.tokens.logprob!]);
    assertEquals([...both.tokens.value!], [...value.tokens.value!]);
    const { valueHead } = parts(network.gradients!);
    assertEquals(valueHead.data.length, model.hiddenSize);
    assert(value.gradient.some((x, i) => i < value.gradient.length - model.hiddenSize && x !== 0), "trunk");
  });

  Deno.test(`${directory}: with a value head the log-probabilities have the same bits`, () => {
    const { network } = twoHeaded(directory), { model, parameters } = loadModel(directory);
    assertEquals(tokenLogprobs(network, SEQUENCES), tokenLogprobs(new Network(model, parameters), SEQUENCES));
  });
}

Deno.test("the parts of a vector are views of it: first the model in its layout, then the head", () => {
  const loaded = loadModel(PLAIN), { parameters, parts, model } = withValueHead(loaded);
  const { model: own, valueHead } = parts(parameters);
  assertEquals(own.data, loaded.parameters.data);
  assertEquals([own.decayed, valueHead.decayed], [loaded.parameters.decayed, 0]);
  assertEquals([...valueHead.data], new Array(model.hiddenSize).fill(0));
  for (const { name } of loaded.parameters.specs) {
    parameters.view(name)[0] = 7;
    assertEquals(own.view(name)[0], 7, name);
  }
  parameters.view("value_head.weight")[0] = 3;
  assertEquals(valueHead.data[0], 3);
});

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as evaluator from "@/tests/support/evaluate.ts";
import { transformersFactor } from "@/lib/model/train/schedule.ts";
import { checkPpoTopic, PPO_TOPICS } from "./golden_topics.ts";

const FOLDER = new URL("../../../fixtures/goldens/ppo/", import.meta.url);
const TOOLS = { evaluator, scheduleFactor: transformersFactor };

function readTopic(topic: string): { cases: Record<string, unknown>[] } {
  return JSON.parse(Deno.readTextFileSync(new URL(`${topic}.json`, FOLDER)));
}

for (const topic of PPO_TOPICS) {
  Deno.test(`checkPpoTopic() finds "${topic}" within 1e-10`, () => {
    const checks = checkPpoTopic(topic, readTopic(topic), TOOLS);
    assert(checks.length > 0);
    // far below the bar of 1e-5: everything is float64
    for (const { check, largestError } of checks) assert(largestError < 1e-10, `${check}: ${largestError}`);
  });
}

Deno.test("checkPpoTopic() covers every file of the goldens but adamw", () => {
  const files = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) =>
    name.endsWith(".json")
  );
  assertEquals(files.map((name) => name.slice(0, -5)).sort(), [...PPO_TOPICS, "adamw"].sort());
});

Deno.test("checkPpoTopic() detects one wrong number in every field that is a result", () => {
  const inputs = new Set(
    ("mask rewards values bootstrap_value x scores groups token_kl beta old_logprobs ref_logprobs score sft_logprobs " +
      "base_logprobs member_logprobs eos floor eos_bound logits ids temperature gamma lambda_ eps clip_low clip_high " +
      "dual_clip clip_range init target horizon n_steps kl total_steps warmup_steps base_lr num_cycles")
      .split(" "),
  );
  // fields that are an input in one topic and a result in another
  const inputsOf: Record<string, string[]> = {
    policy_loss: ["logprobs", "advantages"],
    kl: ["logprobs"],
    value_loss: ["old_values", "returns"],
    explained_variance: ["returns"],
    prefix_shift: ["token_log_ratio"],
  };
  for (const topic of PPO_TOPICS) {
    const fields = Object.entries(readTopic(topic).cases[0]!)
      .filter(([, value]) => typeof value === "number" || Array.isArray(value))
      .map(([name]) => name)
      .filter((name) => !inputs.has(name) && !(inputsOf[topic] ?? []).includes(name));
    assert(fields.length > 0, topic);
    for (const field of fields) {
      const json = readTopic(topic);
      json.cases = [{ ...json.cases[0]!, [field]: nudged(json.cases[0]![field]) }];
      const failed = checkPpoTopic(topic, json, TOOLS).filter(({ largestError, bar }) =>
        !(largestError <= bar)
      );
      assert(failed.length > 0, `${topic}: no check fails for a wrong ${field}`);
    }
  }
});

/** The same with the first number off by 0.01. */
function nudged(value: unknown): unknown {
  return Array.isArray(value) ? [nudged(value[0]), ...value.slice(1)] : (value as number) + 0.01;
}

Deno.test("checkPpoTopic() refuses unknown topics and files with another layout", () => {
  assertThrows(
    () => checkPpoTopic("adamw", {}, TOOLS),
    Error,
    "The golden topic must be one of adaptive_kl, aggregate, bagged_reward, critic_free, explained_variance, gae, " +
      "gae_bootstrap, gae_interior_mask, kl, logits, policy_loss, prefix_shift, schedules, srppo_reward, value_loss, whiten, " +
      'got "adamw"',
  );
  assertThrows(
    () => checkPpoTopic("gae", { topic: "kl", cases: [] }, TOOLS),
    Error,
    'Golden topic "gae" must have that topic and at least one case, got topic "kl" and 0 cases',
  );
  assertThrows(
    () => checkPpoTopic("gae", { topic: "gae", cases: [{ mask: [[1]], values: [["x"]] }] }, TOOLS),
    Error,
    'Field "values" of case 0 of "gae" must be a list of lists of numbers, got [["x"]]',
  );
});

Deno.test("an unknown field of a golden schedule is refused by name", () => {
  const json = readTopic("schedules");
  json.cases[0]!.min_lr = 1e-6;
  assertThrows(
    () => checkPpoTopic("schedules", json, TOOLS),
    Error,
    'case 0 of "schedules": unknown key "min_lr"',
  );
});

/** The states at which the critic is evaluated, with models from files. @module */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { targetsFrom } from "@/lib/model/train/batching.ts";
import { Network } from "@/lib/model/train/network.ts";
import { tokenValues } from "@/lib/model/train/token_logprobs.ts";
import { scoredRow, withDefaults } from "@/tests/support/ppo_rows.ts";
import { withCriticOutputs } from "./advantages.ts";
import type { Params } from "./params.ts";
import { rolloutOf } from "./trajectory.ts";

const { model, parameters } = loadModel("fixtures/goldens/srppo/critic");
const critic = new Network(model, parameters);

function row(prompt: number, length: number, finishReason: "eos" | "length") {
  return rolloutOf(scoredRow({
    tokenRewards: new Float32Array(length),
    promptIds: Int32Array.from({ length: prompt }, (_, t) => 3 + t * 7 % 90),
    responseIds: Int32Array.from({ length }, (_, t) => 3 + t * 11 % 90),
    finishReason,
  }));
}

const outputsOf = (rows: readonly ReturnType<typeof row>[], params: Params) =>
  withCriticOutputs(critic, rows, params).map(({ criticOutput }) => criticOutput);

/** Returns the value of the state after `count` tokens of the row's text, computed alone. */
function valueAfter({ promptIds, responseIds }: ReturnType<typeof row>, count: number): number {
  const ids = [...promptIds, ...responseIds].slice(0, count);
  return tokenValues(critic, [{ ids: [...ids, 1], targets: targetsFrom(count, count + 1) }])[0]![0]!;
}

/** Rows of other lengths are padded otherwise, which may change a last bit. */
function close(found: number, expected: number): void {
  assertAlmostEquals(found, expected, 1e-5);
}

Deno.test("the critic is evaluated before every token, and after the last one where a response continues", () => {
  // The third fills the context of 64 tokens.
  const rows = [row(4, 6, "eos"), row(5, 7, "length"), row(40, 24, "length")];
  const outputs = outputsOf(rows, withDefaults({ truncated_value: "bootstrap" }));
  assertEquals(outputs.map(({ perToken }) => perToken.length), [6, 7, 24]);
  assertEquals(outputs[0]!.afterLast, undefined);
  for (const i of [1, 2]) {
    const { promptIds, responseIds } = rows[i]!, all = promptIds.length + responseIds.length;
    close(outputs[i]!.afterLast!, valueAfter(rows[i]!, all));
    close(outputs[i]!.perToken[0]!, valueAfter(rows[i]!, promptIds.length));
    close(outputs[i]!.perToken[responseIds.length - 1]!, valueAfter(rows[i]!, all - 1));
  }
  outputsOf(rows, withDefaults({})).forEach(({ perToken, afterLast }, i) => {
    assertEquals(afterLast, undefined);
    Array.from(perToken).forEach((value, t) => close(value, outputs[i]!.perToken[t]!));
  });
});

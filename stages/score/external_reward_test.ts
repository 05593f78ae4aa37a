/** Tests external rewards: the rows of a module, its reward, and errors. @module */
import { assertEquals, assertRejects } from "@std/assert";
import type { ScoredRow } from "@/lib/data/contracts/scored.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { addExternalReward, type ExternalOptions, type ExternalRow } from "./external_reward.ts";
import { moduleReward } from "./module_reward.ts";

function row(
  id: string,
  tokenRewards: readonly number[],
  finishReason: ScoredRow["finishReason"],
): ScoredRow {
  const list = Float32Array.from(tokenRewards), rawReward = tokenRewards.reduce((a, b) => a + b, 0);
  return {
    id,
    promptId: "p",
    sample: 0,
    promptIds: Int32Array.of(1, 7),
    responseIds: Int32Array.from(tokenRewards, (_, t) => 40 + t),
    logprobs: list,
    logprobsT1: null,
    finishReason,
    meta: '{"answer":"42"}',
    sftLogprobs: list,
    targetLogprobs: list,
    baseLogprobs: list,
    tokenRewards: list,
    rawReward,
    reward: rawReward,
    baseNll: null,
  };
}
const ROWS = [row("a", [1, 2], "eos"), row("b", [0.5], "length"), row("c", [], "length")];
const OPTIONS: Omit<ExternalOptions, "reward"> = {
  weight: 2,
  rule: { lengthNorm: "none" },
  text: (ids, { skipSpecial }) => `${skipSpecial ? "" : "<s>"}${[...ids].join(" ")}`,
};

Deno.test("a module's reward is added at the last token, weighted; other columns are unchanged; its rows have prompt_id", async () => {
  const seen: ExternalRow[] = [];
  const reward = (rows: readonly ExternalRow[]) => {
    seen.push(...rows);
    return Promise.resolve([10, -3, 5]);
  };
  const rewarded = await addExternalReward(ROWS, { ...OPTIONS, reward });
  assertEquals(rewarded.map(({ tokenRewards }) => [...tokenRewards]), [[1, 22], [-5.5], []]);
  assertEquals(rewarded.map(({ rawReward, reward }) => [rawReward, reward]), [[23, 23], [-5.5, -5.5], [
    0,
    0,
  ]]);
  assertEquals(rewarded[0]!.baseLogprobs, ROWS[0]!.baseLogprobs);
  assertEquals(seen[0], {
    id: "a",
    prompt_id: "p",
    prompt: "<s>1 7",
    response: "40 41",
    meta: { answer: "42" },
    ended: true,
    reward: 3,
  });
  assertEquals(seen.map(({ ended }) => ended), [true, false, false]);
});

Deno.test("length normalisation includes the external reward", async () => {
  const [rewarded] = await addExternalReward(ROWS.slice(0, 1), {
    ...OPTIONS,
    reward: () => Promise.resolve([1]),
    rule: { lengthNorm: "mean" },
  });
  assertEquals([rewarded!.rawReward, rewarded!.reward], [5, 2.5]);
  assertEquals([...rewarded!.normalisedRewards!], [1, 1.5]); // 1, then (1 + 2 + 2·1)/2
});

Deno.test("a module that throws, or does not return a finite number for every row, is an error with its name", async () => {
  using directory = new TemporaryDirectory();
  const messageOf = async (body: string) => {
    const path = directory.write(`${crypto.randomUUID()}.ts`, `export function reward() { ${body} }`);
    const reward = await moduleReward(path);
    const { message } = await assertRejects(() => addExternalReward(ROWS, { ...OPTIONS, reward }), DataError);
    return message.replace(path, "judge.ts");
  };
  assertEquals(
    await messageOf("return [1, 2];"),
    "external reward judge.ts must return 3 finite numbers, one per row, got 2 values",
  );
  assertEquals(
    await messageOf(""),
    "external reward judge.ts must return 3 finite numbers, one per row, got undefined",
  );
  assertEquals(
    await messageOf('return [1, NaN, "x"];'),
    'external reward judge.ts must return 3 finite numbers, one per row, got NaN for "b"; x for "c"',
  );
  assertEquals(
    await messageOf('throw new Error("no judge today");'),
    "external reward judge.ts failed: no judge today",
  );
});

Deno.test("moduleReward() requires that the module exports reward()", async () => {
  using directory = new TemporaryDirectory();
  const good = directory.write(
    "good.ts",
    "export const reward = (rows: { response: string }[]) => rows.map((r) => r.response.length);",
  );
  const [rewarded] = await addExternalReward(ROWS.slice(0, 1), {
    ...OPTIONS,
    reward: await moduleReward(good),
  });
  assertEquals(rewarded!.rawReward, 13);
  const other = directory.write("other.ts", "export const check = 1;");
  assertEquals(
    (await assertRejects(() => moduleReward(other), UsageError)).message,
    `external reward ${other} must export a function "reward", got check`,
  );
  const absent = await assertRejects(() => moduleReward(directory.file("absent.ts")), UsageError);
  assertEquals(
    absent.message.startsWith(
      `Failed to load external reward ${directory.file("absent.ts")}: `,
    ),
    true,
    absent.message,
  );
});

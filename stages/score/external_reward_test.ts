/** External rewards: what a module sees, what it adds, and what is refused. @module */
import { assertEquals, assertRejects } from "@std/assert";
import type { ScoredRow } from "@/lib/contracts/scored.ts";
import { DataError, UsageError } from "@/lib/tensor/errors.ts";
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

Deno.test("what a module gives is added at the last token, weighted; what else a row holds stays", async () => {
  const seen: ExternalRow[] = [];
  const reward = (rows: readonly ExternalRow[]) => {
    seen.push(...rows);
    return Promise.resolve([10, -3, 5]);
  };
  const paid = await addExternalReward(ROWS, { ...OPTIONS, reward });
  assertEquals(paid.map(({ tokenRewards }) => [...tokenRewards]), [[1, 22], [-5.5], []]);
  assertEquals(paid.map(({ rawReward, reward }) => [rawReward, reward]), [[23, 23], [-5.5, -5.5], [0, 0]]);
  assertEquals(paid[0]!.baseLogprobs, ROWS[0]!.baseLogprobs);
  assertEquals(seen[0], {
    id: "a",
    promptId: "p",
    prompt: "<s>1 7",
    response: "40 41",
    meta: { answer: "42" },
    ended: true,
    reward: 3,
  });
  assertEquals(seen.map(({ ended }) => ended), [true, false, false]);
});

Deno.test("length normalisation is that of the reward, the external part included", async () => {
  const [paid] = await addExternalReward(ROWS.slice(0, 1), {
    ...OPTIONS,
    reward: () => Promise.resolve([1]),
    rule: { lengthNorm: "mean" },
  });
  assertEquals([paid!.rawReward, paid!.reward], [5, 2.5]);
});

Deno.test("a module that throws, or gives other than a finite number for every row, is refused by name", async () => {
  using directory = new TemporaryDirectory();
  const messageOf = async (body: string) => {
    const path = directory.write(`${crypto.randomUUID()}.ts`, `export function reward() { ${body} }`);
    const reward = await moduleReward(path);
    const { message } = await assertRejects(() => addExternalReward(ROWS, { ...OPTIONS, reward }), DataError);
    return message.replace(path, "judge.ts");
  };
  assertEquals(
    await messageOf("return [1, 2];"),
    "Cannot use what external reward judge.ts gives as it must be a list of 3 numbers: there are 2",
  );
  assertEquals(
    await messageOf(""),
    "Cannot use what external reward judge.ts gives as it must be a list of 3 numbers: it is undefined",
  );
  assertEquals(
    await messageOf('return [1, NaN, "x"];'),
    'Cannot use what external reward judge.ts gives as numbers must be finite: "b" gets NaN; "c" gets x',
  );
  assertEquals(
    await messageOf('throw new Error("no judge today");'),
    "Cannot use external reward judge.ts as it must not throw: no judge today",
  );
});

Deno.test("moduleReward() takes a module's function reward, and says what else it found", async () => {
  using directory = new TemporaryDirectory();
  const good = directory.write(
    "good.ts",
    "export const reward = (rows: { response: string }[]) => rows.map((r) => r.response.length);",
  );
  const [paid] = await addExternalReward(ROWS.slice(0, 1), { ...OPTIONS, reward: await moduleReward(good) });
  assertEquals(paid!.rawReward, 13);
  const other = directory.write("other.ts", "export const check = 1;");
  assertEquals(
    (await assertRejects(() => moduleReward(other), UsageError)).message,
    `Cannot use external reward ${other} as it must export a function "reward": it exports check`,
  );
  const absent = await assertRejects(() => moduleReward(directory.file("absent.ts")), UsageError);
  assertEquals(
    absent.message.startsWith(
      `Cannot use external reward ${directory.file("absent.ts")} as it must be a module that loads: `,
    ),
    true,
    absent.message,
  );
});

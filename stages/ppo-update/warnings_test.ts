import { assertEquals } from "@std/assert";
import { scoredRow, withDefaults } from "@/tests/support/ppo_rows.ts";
import { rolloutStatistics } from "./statistics.ts";
import { rolloutOf } from "./trajectory.ts";
import { firstIterationOf, rewardHackingWarnings } from "./warnings.ts";

/** Returns rollouts of some lengths: reward `level` on average, `kl` nats per token to SFT, ids alike or all different. */
function rollouts(lengths: readonly number[], given: { level: number; kl?: number; alike?: boolean }) {
  return lengths.map((length, i) => {
    const each = given.level + (i % 2 === 0 ? 0.1 : -0.1);
    return rolloutOf(scoredRow({
      id: `r${i}`,
      tokenRewards: Float32Array.from({ length }, () => each / length),
      responseIds: Int32Array.from({ length }, (_, t) => given.alike && i < 2 ? 7 : 100 * i + t),
      sftLogprobs: new Float32Array(length).fill(-(given.kl ?? 0) * (i === 3 ? 2 : 1)),
    }));
  });
}

const LENGTHS = [10, 11, 9, 10];
const first = firstIterationOf(rolloutStatistics(rollouts(LENGTHS, { level: 1 }), { hasBos: true }));
const warnings = (of: ReturnType<typeof rollouts>, params = withDefaults({})) =>
  rewardHackingWarnings(rolloutStatistics(of, { hasBos: true }), first, of, params);

Deno.test("no warning while the reward rises within the bands, or while it does not rise", () => {
  assertEquals(warnings(rollouts(LENGTHS, { level: 5 })), []);
  assertEquals(warnings(rollouts([90, 90, 90, 90], { level: 1, kl: 3, alike: true })), []);
});

Deno.test("each warning names the metric that left its band and the responses that show it best", () => {
  const [length, ...rest] = warnings(rollouts([10, 30, 9, 20], { level: 5 }));
  assertEquals(rest, []);
  assertEquals(length, {
    kind: "length",
    rows: [1, 3],
    message:
      'the reward rose from 1 to 5 while the response length went from 10 to 17.3 tokens; see responses "r1" and "r3"',
  });
  assertEquals(warnings(rollouts([5, 6, 4, 5], { level: 5 })).map(({ kind, rows }) => [kind, rows]), [[
    "length",
    [
      2,
      0,
    ],
  ]]);
  const [repetition] = warnings(rollouts(LENGTHS, { level: 5, alike: true }));
  assertEquals(repetition, {
    kind: "repetition",
    rows: [1, 0],
    message:
      'the reward rose from 1 to 5 while repeated 4-grams went from 0 % to 43.3 %; see responses "r1" and "r0"',
  });
  const [kl] = warnings(rollouts(LENGTHS, { level: 5, kl: 0.2 }));
  assertEquals(kl, {
    kind: "kl",
    rows: [3, 0],
    message:
      'the reward rose from 1 to 5 while the KL to SFT reached 0.25 nats per token; see responses "r3" and "r0"',
  });
});

Deno.test("null switches a warning off", () => {
  const rows = rollouts([30, 30, 30, 30], { level: 5, kl: 1, alike: true });
  assertEquals(warnings(rows).map(({ kind }) => kind), ["length", "repetition", "kl"]);
  const off = withDefaults({ warn_length_factor: null, warn_repetition: null, warn_kl_per_token: null });
  assertEquals(warnings(rows, off), []);
});

/** Tests the preflight on responses with an obvious best one. @module */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { preflight, type RatedResponse } from "./preflight.ts";

const rated = (promptId: string, reward: number, score: number): RatedResponse => ({
  promptId,
  reward,
  score,
});

Deno.test("preflight() picks the best by reward within each prompt, whatever the rewards of other prompts", () => {
  const found = preflight([rated("a", 1, 0), rated("a", 2, 1), rated("b", 50, 1), rated("b", 40, 0.5)]);
  assertEquals([found.prompts, found.samples_per_prompt], [2, 2]);
  assertEquals([found.best_score, found.worst_score, found.average_score, found.gain], [
    1,
    0.25,
    0.625,
    0.375,
  ]);
  // gains 0.5 and 0.25: deviation 0.25/√2, over √2
  assertAlmostEquals(found.gain_stderr, 0.125, 1e-12);
  assertEquals(
    found.verdict,
    "Informative reward: it ranks better responses higher (mean score 1.000 of the best of 2 responses by reward, 0.625 of all " +
      "responses, 0.250 of the worst by reward).",
  );
});

Deno.test("preflight() warns if the best response by reward is no better than the average one", () => {
  const found = preflight([rated("a", 1, 1), rated("a", 2, 0)]);
  assertEquals([found.gain, found.gain_stderr, found.within_prompt_correlation], [-0.5, 0, -1]);
  assert(
    found.verdict.startsWith("Uninformative reward: PPO is likely to make the model worse (mean score 0.000"),
  );
});

Deno.test("preflight() correlates within prompts: a shift of all rewards of a prompt changes nothing", () => {
  const responses = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: -8, max: 8 }), fc.integer({ min: 0, max: 2 })),
    { minLength: 2, maxLength: 30 },
  );
  fc.assert(
    fc.property(
      responses,
      fc.array(fc.integer({ min: -64, max: 64 }), { minLength: 4, maxLength: 4 }),
      (rows, shifts) => {
        const plain = preflight(rows.map(([p, reward, score]) => rated(`${p}`, reward, score)));
        const moved = preflight(rows.map(([p, reward, score]) => rated(`${p}`, reward + shifts[p]!, score)));
        assertAlmostEquals(moved.gain, plain.gain, 1e-9);
        const [a, b] = [plain.within_prompt_correlation, moved.within_prompt_correlation];
        if (a !== null && b !== null) assertAlmostEquals(a, b, 1e-6);
      },
    ),
    { seed: 11 },
  );
});

import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ShapeError } from "@/lib/compute/tensor/errors.ts";
import { fromRows, toRows } from "@/tests/goldens/ppo/golden_case.ts";
import { gae } from "./gae.ts";
import { ppoRewards } from "./ppo_rewards.ts";
import { residualBootstrap, residualPrefix, residualValues } from "./residual_critic.ts";

const number = fc.double({ min: -10, max: 10, noNaN: true });
const steps = fc.array(fc.record({ reward: number, value: number }), { minLength: 1, maxLength: 12 });
const unit = fc.double({ min: 0, max: 1, noNaN: true });
const RUNS = { seed: 1, numRuns: 200 };

function columns(
  rows: readonly { reward: number; value: number }[],
): { rewards: number[]; values: number[] } {
  return { rewards: rows.map((r) => r.reward), values: rows.map((r) => r.value) };
}

Deno.test("gae() on three tokens, by hand", () => {
  // γ = 0.5, λ = 0.5, bootstrap 4: δ₂ = 1 + 0.5·4 − 2 = 1, δ₁ = 0 + 0.5·2 − 3 = −2, δ₀ = 2 + 0.5·3 − 1 = 2.5
  const { advantages, returns } = gae({
    rewards: [2, 0, 1],
    values: [1, 3, 2],
    gamma: 0.5,
    lambda: 0.5,
    bootstrap: 4,
  });
  // A₂ = 1, A₁ = −2 + 0.25·1, A₀ = 2.5 + 0.25·A₁
  assertEquals([...advantages], [2.0625, -1.75, 1]);
  assertEquals([...returns], [3.0625, 1.25, 3]);
});

Deno.test("gae() equals the TD error when lambda is 0", () => {
  fc.assert(
    fc.property(steps, unit, number, (rows, gamma, bootstrap) => {
      const { rewards, values } = columns(rows);
      const { advantages } = gae({ rewards, values, gamma, lambda: 0, bootstrap });
      const expected = rewards.map((r, t) => r + gamma * (values[t + 1] ?? bootstrap) - values[t]!);
      advantages.forEach((a, t) => assertAlmostEquals(a, expected[t]!, 1e-9));
    }),
    RUNS,
  );
});

Deno.test("gae() equals the discounted return minus the value when lambda is 1", () => {
  fc.assert(
    fc.property(steps, unit, (rows, gamma) => {
      const { rewards, values } = columns(rows);
      const { advantages } = gae({ rewards, values, gamma, lambda: 1 });
      advantages.forEach((a, t) => {
        const discounted = rewards.slice(t).reduce((sum, r, k) => sum + gamma ** k * r, 0);
        assertAlmostEquals(a, discounted - values[t]!, 1e-9);
      });
    }),
    RUNS,
  );
});

Deno.test("gae() bootstraps from a given value, and returns are advantages plus values (statement 5)", () => {
  fc.assert(
    fc.property(steps, unit, unit, number, (rows, gamma, lambda, bootstrap) => {
      const { rewards, values } = columns(rows);
      const ended = gae({ rewards, values, gamma, lambda }),
        cut = gae({ rewards, values, gamma, lambda, bootstrap });
      // the value after the end reaches token t through γ once per step and through λ between the steps
      ended.advantages.forEach((a, t) => {
        const distance = rewards.length - t;
        assertAlmostEquals(
          cut.advantages[t]! - a,
          bootstrap * gamma ** distance * lambda ** (distance - 1),
          1e-9,
        );
        assertAlmostEquals(ended.returns[t]! - values[t]!, a, 1e-9);
      });
    }),
    RUNS,
  );
});

Deno.test("gae() with the reward at the end equals dense rewards with the prefix in the critic, for any lambda (statement 67)", () => {
  fc.assert(
    fc.property(steps, unit, fc.double({ min: 0.1, max: 10, noNaN: true }), (rows, lambda, scale) => {
      const { rewards: ratios, values: head } = columns(rows);
      const prefix = residualPrefix(ratios, scale), total = ratios.reduce((a, b) => a + b, 0) / scale;
      const paidAtEnd = ppoRewards(new Float64Array(ratios.length), { beta: 0, reward: total });
      const atEnd = gae({ rewards: paidAtEnd, values: residualValues(head, prefix), gamma: 1, lambda });
      const dense = gae({ rewards: ratios.map((r) => r / scale), values: head, gamma: 1, lambda });
      atEnd.advantages.forEach((a, t) => {
        assertAlmostEquals(a, dense.advantages[t]!, 1e-8);
        assertAlmostEquals(atEnd.returns[t]! - prefix[t]!, dense.returns[t]!, 1e-8);
      });
    }),
    RUNS,
  );
});

Deno.test("gae() with a critic of 0 and the reward at the end gives lambda^(distance) times the reward", () => {
  const { advantages } = gae({ rewards: [0, 0, 0, 8], values: [0, 0, 0, 0], gamma: 1, lambda: 0.5 });
  assertEquals([...advantages], [1, 2, 4, 8]);
});

Deno.test("gae() skips masked positions, whatever they contain (statements 51 and 52)", () => {
  const cell = fc.record({ reward: number, value: number, junk: fc.double(), counts: fc.boolean() });
  fc.assert(
    fc.property(fc.array(cell, { minLength: 1, maxLength: 12 }), unit, unit, (cells, gamma, lambda) => {
      const mask = [cells.map((c) => Number(c.counts))];
      const masked = (
        name: "reward" | "value",
        junk: boolean,
      ) => [cells.map((c) => c.counts || !junk ? c[name] : c.junk)];
      const run = (junk: boolean) => {
        const [rewards] = toRows(masked("reward", junk), mask),
          [values] = toRows(masked("value", junk), mask);
        return fromRows([gae({ rewards: rewards!, values: values!, gamma, lambda }).advantages], mask);
      };
      assertEquals(run(true), run(false));
      // the recursion written on the masked array itself: value and advantage are carried over a hole
      let nextValue = 0, next = 0;
      const expected = new Float64Array(cells.length);
      for (let t = cells.length - 1; t >= 0; t--) {
        const { counts, reward, value } = cells[t]!;
        const m = Number(counts), advantage = reward + gamma * nextValue - value + gamma * lambda * next;
        next = m * advantage + (1 - m) * next;
        nextValue = m * value + (1 - m) * nextValue;
        expected[t] = m * advantage;
      }
      run(false)[0]!.forEach((a, t) => assertAlmostEquals(a, expected[t]!, 1e-9));
    }),
    RUNS,
  );
});

Deno.test("gae() refuses unequal lengths and discounts out of range", () => {
  assertThrows(
    () => gae({ rewards: [1], values: [1, 2], gamma: 1, lambda: 1 }),
    ShapeError,
    "Lengths of rewards and values must be equal, got 1 (rewards), 2 (values)",
  );
  assertThrows(
    () => gae({ rewards: [1], values: [1], gamma: 1.5, lambda: NaN }),
    RangeError,
    "gamma and lambda must be in [0, 1], got gamma 1.5, lambda NaN",
  );
});

Deno.test("gae() of a truncated response that continues is that of the whole response up to there (statement 5)", () => {
  const cell = fc.record({ ratio: number, kl: number, head: number });
  fc.assert(
    fc.property(
      fc.array(cell, { minLength: 2, maxLength: 12 }),
      unit,
      fc.double({ min: 0.1, max: 10, noNaN: true }),
      fc.nat(),
      (cells, lambda, scale, at) => {
        const centre = 3, cut = 1 + at % (cells.length - 1);
        const ratios = cells.map(({ ratio }) => ratio), kl = cells.map((c) => c.kl);
        const head = cells.map((c) => c.head);
        const score = (ratios.reduce((a, b) => a + b, 0) - centre) / scale;
        for (const dense of [false, true]) {
          const perToken = dense ? ratios.map((r) => r / scale) : undefined;
          const offsets = dense ? ratios.map(() => 0) : residualPrefix(ratios, scale);
          const whole = gae({
            rewards: ppoRewards(kl, { beta: 0.5, reward: score, ...(perToken && { perToken }) }),
            values: residualValues(head, offsets),
            gamma: 1,
            lambda,
          });
          const afterLast = head[cut]!;
          const part = gae({
            rewards: ppoRewards(kl.slice(0, cut), {
              beta: 0.5,
              reward: null,
              ...(perToken && { perToken: perToken.slice(0, cut) }),
            }),
            values: residualValues(head.slice(0, cut), offsets.slice(0, cut)),
            gamma: 1,
            lambda,
            bootstrap: dense ? afterLast : residualBootstrap(afterLast, ratios.slice(0, cut), scale),
          });
          // the difference is what λ carries from the later tokens
          part.advantages.forEach((a, t) =>
            assertAlmostEquals(a, whole.advantages[t]! - lambda ** (cut - t) * whole.advantages[cut]!, 1e-8)
          );
        }
      },
    ),
    RUNS,
  );
});

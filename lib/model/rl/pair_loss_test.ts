import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { dpoLoss, type PairLogprobs, spinLoss } from "./pair_loss.ts";

const nats = fc.double({ min: -40, max: 0, noNaN: true });
const pair = fc.record({ chosen: nats, rejected: nats });
const beta = fc.double({ min: 0.01, max: 2, noNaN: true });
const smoothing = fc.double({ min: 0, max: 0.49, noNaN: true });

/** Equation 7 as it is printed. */
function printed(policy: PairLogprobs, reference: PairLogprobs, beta: number): number {
  const u = beta * Math.log(Math.exp(policy.chosen) / Math.exp(reference.chosen)) -
    beta * Math.log(Math.exp(policy.rejected) / Math.exp(reference.rejected));
  return -Math.log(1 / (1 + Math.exp(-u)));
}

Deno.test("dpoLoss() is equation 7 of the paper", () => {
  fc.assert(
    fc.property(
      pair,
      pair,
      beta,
      (p, r, b) => assertAlmostEquals(dpoLoss(p, r, { beta: b }).loss, printed(p, r, b), 1e-9),
    ),
  );
});

Deno.test("dpoLoss() at the reference is log 2 with half of β as slope", () => {
  const at = { chosen: -7, rejected: -3 };
  const { loss, slope, chosenReward, rejectedReward } = dpoLoss(at, at, { beta: 0.1 });
  assertAlmostEquals(loss, Math.LN2, 1e-12);
  assertAlmostEquals(slope, -0.05, 1e-12);
  assertEquals([chosenReward, rejectedReward], [0, 0]);
});

Deno.test("slope is the derivative of the loss, with opposite signs for the two responses", () => {
  const h = 1e-5;
  fc.assert(fc.property(pair, pair, beta, smoothing, (p, r, b, labelSmoothing) => {
    const options = { beta: b, labelSmoothing };
    const loss = (chosen: number, rejected: number) => dpoLoss({ chosen, rejected }, r, options).loss;
    const { slope } = dpoLoss(p, r, options);
    const byChosen = (loss(p.chosen + h, p.rejected) - loss(p.chosen - h, p.rejected)) / (2 * h);
    const byRejected = (loss(p.chosen, p.rejected + h) - loss(p.chosen, p.rejected - h)) / (2 * h);
    assertAlmostEquals(slope, byChosen, 1e-6);
    assertAlmostEquals(-slope, byRejected, 1e-6);
  }));
});

Deno.test("label smoothing is the mean loss under labels that are wrong with its probability", () => {
  fc.assert(fc.property(pair, pair, smoothing, (p, r, labelSmoothing) => {
    const turned = ({ chosen, rejected }: PairLogprobs) => ({ chosen: rejected, rejected: chosen });
    const right = dpoLoss(p, r, { beta: 0.3 }), wrong = dpoLoss(turned(p), turned(r), { beta: 0.3 });
    const mixed = dpoLoss(p, r, { beta: 0.3, labelSmoothing });
    assertAlmostEquals(mixed.loss, (1 - labelSmoothing) * right.loss + labelSmoothing * wrong.loss, 1e-9);
    assertAlmostEquals(mixed.slope, (1 - labelSmoothing) * right.slope - labelSmoothing * wrong.slope, 1e-9);
  }));
});

Deno.test("the loss of pairs that are far apart is their distance or 0, and finite", () => {
  const zero = { chosen: 0, rejected: 0 };
  const lost = dpoLoss({ chosen: -5000, rejected: 0 }, zero, { beta: 1 });
  assertEquals([lost.loss, lost.slope], [5000, -1]);
  const won = dpoLoss({ chosen: 0, rejected: -5000 }, zero, { beta: 1 });
  assert(won.loss === 0 && won.slope === 0);
});

Deno.test("spinLoss() is the logistic loss of the scaled difference of log-ratios", () => {
  fc.assert(fc.property(pair, pair, beta, (p, o, lambda) => {
    const t = lambda * (p.chosen - o.chosen) - lambda * (p.rejected - o.rejected);
    assertAlmostEquals(spinLoss(p, o, { lambda }).loss, Math.log(1 + Math.exp(-t)), 1e-9);
    assertEquals(spinLoss(p, o, { lambda }), dpoLoss(p, o, { beta: lambda }));
  }));
});

Deno.test("β of 0 and a label smoothing of one half are refused", () => {
  const zero = { chosen: 0, rejected: 0 };
  assertThrows(
    () => dpoLoss(zero, zero, { beta: 0, labelSmoothing: 0.5 }),
    RangeError,
    "beta must be positive and labelSmoothing in [0, 0.5), got 0 and 0.5",
  );
});

import { assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { actionKey, type KeyParts, stageSeed } from "./key.ts";
import { reasonToRun } from "./reasons.ts";

const PARTS: KeyParts = {
  stage: "sft",
  code: "c0de",
  params: { lr: 1e-3, epochs: 4 },
  inputs: { tokens: "aa", members: ["bb", "cc"], models: { x: "dd" } },
  seed: 1,
  index: 0,
  iteration: 0,
};

Deno.test("actionKey() does not depend on the order of names, and does on everything else", () => {
  const other: KeyParts = { ...PARTS, params: { epochs: 4, lr: 1e-3 } };
  assertEquals(actionKey(other), actionKey(PARTS));
  const changes: Partial<KeyParts>[] = [
    { stage: "x" },
    { code: "x" },
    { params: { lr: 1e-3 } },
    { inputs: { ...PARTS.inputs, members: ["cc", "bb"] } },
    { seed: 2 },
    { index: 1 },
    { iteration: 1 },
  ];
  for (const change of changes) assertNotEquals(actionKey({ ...PARTS, ...change }), actionKey(PARTS));
});

Deno.test("reasonToRun() lists what changed, old → new", () => {
  assertEquals(reasonToRun(PARTS, undefined), "not run before");
  assertEquals(reasonToRun(PARTS, PARTS), "its outputs are not in the store");
  const now: KeyParts = {
    ...PARTS,
    code: "0123456789",
    params: { lr: 2e-3, name: "x" },
    inputs: { tokens: "aa", members: ["bb", "ee", "ff"], models: { x: "dd" } },
    seed: 3,
  };
  assertEquals(
    reasonToRun(now, PARTS),
    'code: c0de → 01234567, epochs: 4 → none, lr: 0.001 → 0.002, name: none → "x", ' +
      "input members[1]: cc → ee, input members[2]: none → ff, seed: 1 → 3",
  );
});

Deno.test("stageSeed() is a safe integer, different for each run seed, label and copy", () => {
  assertEquals(stageSeed(0, "sft"), stageSeed(0, "sft", 0));
  fc.assert(fc.property(fc.nat(), fc.string(), fc.nat(100), (seed, label, index) => {
    const value = stageSeed(seed, label, index);
    assertEquals(Number.isSafeInteger(value) && value >= 0, true);
    assertNotEquals(value, stageSeed(seed, label, index + 1));
    assertNotEquals(value, stageSeed(seed + 1, label, index));
    assertNotEquals(value, stageSeed(seed, `${label}x`, index));
  }));
});

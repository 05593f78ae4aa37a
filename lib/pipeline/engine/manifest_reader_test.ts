import { assertEquals, assertThrows } from "@std/assert";
import { ManifestError } from "@/lib/compute/tensor/errors.ts";
import { parseManifest } from "./manifest_reader.ts";

function problemsOf(text: string): string {
  return assertThrows(() => parseManifest(text, "m.yaml"), ManifestError).message;
}

Deno.test("parseManifest() fills in defaults and accepts YAML merge keys", () => {
  const { manifest, place } = parseManifest(
    `stages:
  a: { uses: x, with: &w { lr: 1e-3, floor: -6 } }
  b: { uses: x, with: { <<: *w, lr: 2 } }`,
    "m.yaml",
  );
  assertEquals(manifest.seed, 0);
  assertEquals(manifest.keep, { states: 2, policies: 2, best_metric: "reward" });
  const b = manifest.stages.b!;
  assertEquals("uses" in b && b.with, { lr: 2, floor: -6 });
  assertEquals(place(["stages", "b", "with", "lr"]), "m.yaml:3:33");
  assertEquals(place(["stages", "b", "with", "floor"]), "m.yaml:3:17");
});

Deno.test("parseManifest() lists every problem with its place and the nearest name", () => {
  const message = problemsOf(`sed: 3
inputs: { base: 5 }
stages:
  Sft: { uses: sft }
  b: { use: sft, in: { tokens: a.b }, every: 0 }
  loop:
    iterate: { count: 0, cary: { x: null }, until: { metric: a.b.c, above: 1, below: 2 } }
    stages:
      a: { uses: x, wth: { lr: 1 } }
  copies:
    foreach: { count: 2.5 }
    stages: {}
outputs: { a: [x] }
`);
  assertEquals(
    message,
    `Invalid manifest m.yaml: 13 problems
  m.yaml:1:1: unknown key "sed", did you mean "seed"?
  m.yaml:2:11: "base" must be a string or null, got 5
  m.yaml:4:3: "Sft" must be snake_case: a letter, then letters, digits and _
  m.yaml:5:3: "uses" is missing
  m.yaml:5:8: unknown key "use", did you mean "uses"?
  m.yaml:5:39: "every" must be ≥ 1, got 0
  m.yaml:7:16: "count" must be ≥ 1, got 0
  m.yaml:7:26: unknown key "cary", did you mean "carry"?
  m.yaml:7:45: "until" must have either above or below
  m.yaml:9:21: unknown key "wth", did you mean "with"?
  m.yaml:11:16: "count" must be a whole number, got 2.5
  m.yaml:12:5: "stages" must have at least one stage
  m.yaml:13:12: "a" must be a string, got a list`,
  );
});

Deno.test("parseManifest() refuses nested blocks by name", () => {
  const message = problemsOf(`stages:
  outer:
    foreach: { count: 2 }
    stages:
      inner: { foreach: { count: 2 }, stages: { a: { uses: x } } }`);
  assertEquals(
    message,
    `Invalid manifest m.yaml: 1 problem
  m.yaml:5:7: block "inner" is inside block "outer": blocks cannot be nested`,
  );
});

Deno.test("parseManifest() reports YAML errors and empty files with their place", () => {
  assertEquals(
    problemsOf("stages: { a: { uses: x }, a: { uses: y } }"),
    `Invalid manifest m.yaml: 1 problem
  m.yaml:1:27: Map keys must be unique`,
  );
  assertEquals(
    problemsOf(""),
    `Invalid manifest m.yaml: 1 problem
  m.yaml:1:1: "stages" is missing`,
  );
});

Deno.test("parseManifest() names the new name of keep.best, and refuses the removed key report", () => {
  assertEquals(
    problemsOf("stages: { a: { uses: x } }\nkeep: { best: reward, polices: 1 }\nreport: {}"),
    `Invalid manifest m.yaml: 3 problems
  m.yaml:2:9: unknown key "best": it is now "best_metric"
  m.yaml:2:23: unknown key "polices", did you mean "policies"?
  m.yaml:3:1: unknown key "report", known are description, seed, inputs, stages, outputs, keep`,
  );
});

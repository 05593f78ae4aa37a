/** Stages with `when`: whether they run is decided by what another stage writes. @module */
import { assertEquals } from "@std/assert";
import { ran, ToyProject } from "./toy.ts";

const MANIFEST = `
inputs: { base: base, first: first.txt }
stages:
  write: { uses: write-text, in: { text: inputs.first }, with: { word: b } }
  more: { uses: join-text, when: write.extra, in: { texts: write.extra } }
  again: { uses: join-text, when: write.extra, in: { texts: more.text }, with: { separator: + } }
  all: { uses: join-text, in: { texts: [write.text, more.text] } }
outputs: { text: all.text, more: more.text }
`;

Deno.test("a stage with `when` runs only if the output was written; its readers go without it, and caching agrees", async () => {
  using toy = new ToyProject();
  const manifest = MANIFEST;
  const without = await toy.run({ manifest });
  assertEquals(ran(without.events), ["all", "write"]);
  const skipped = without.events.flatMap((e) => e.type === "stage_skipped" ? [[e.stage, e.reason]] : []);
  assertEquals(skipped, [["more", "write did not write extra"], ["again", "write did not write extra"]]);
  assertEquals(Object.keys(without.outputs), ["text"]);
  assertEquals(without.nodes.map(({ stage }) => stage).sort(), ["all", "write"]);
  assertEquals(ran((await toy.run({ manifest })).events), [], "the second run is cached");

  const set = ["write.times=5"];
  const written = await toy.run({ manifest, set });
  assertEquals(ran(written.events), ["again", "all", "more", "write"]);
  assertEquals(toy.outputs(written).more, "b!");
  assertEquals(ran((await toy.run({ manifest, set })).events), []);
});

Deno.test("a run to a stage with `when` runs what its condition needs", async () => {
  using toy = new ToyProject();
  const { events } = await toy.run({ manifest: MANIFEST, to: ["more"] });
  assertEquals(ran(events), ["write"]);
});

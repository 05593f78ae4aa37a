/** Tests averaged weights: by hand, and the product of an averaged adapter against the mean of its parts' products. @module */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { loadFrozenModel, loadModel, writeModel } from "@/lib/model/models/checkpoint.ts";
import { mergedModel } from "@/lib/model/models/lora/merge.ts";
import { newAdapter } from "@/lib/model/models/lora/new_adapter.ts";
import { fillNormal } from "@/lib/compute/random/normal.ts";
import { makeKey } from "@/lib/compute/random/uniform.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { type SoupMember, soupOf } from "./soup.ts";

const LORA = "fixtures/goldens/lora", BASE = `${LORA}/base`, SRPPO = "fixtures/goldens/srppo";

/** An adapter on the golden base whose A and B are both noise. */
function adapter(
  role: string,
  change: { readonly rankStabilised?: boolean; readonly rank?: number } = {},
): SoupMember {
  const { config } = loadModel(`${LORA}/adapter`).model.adapter!;
  const loaded = newAdapter(loadFrozenModel(BASE), { ...config, ...change }, {
    baseDirectory: BASE,
    seed: 1,
  });
  fillNormal(loaded.parameters.data, makeKey(1, role), { std: 0.2 });
  return { ...loaded, role };
}

Deno.test("a soup of plain models is the mean of their weights, element by element", () => {
  const [a, b] = ["sft", "policy"].map((role) => ({ ...loadModel(`${SRPPO}/${role}`), role })) as [
    SoupMember,
    SoupMember,
  ];
  const { parameters, model } = soupOf([a, b, b]);
  assertEquals(model, a.model);
  parameters.data.forEach((x, i) => {
    assertEquals(x, Math.fround((a.parameters.data[i]! + 2 * b.parameters.data[i]!) / 3));
  });
  assert(parameters.data.some((x, i) => x !== a.parameters.data[i]), "the two must differ");
});

for (const rankStabilised of [false, true]) {
  Deno.test(`a soup of adapters adds the mean of their products${rankStabilised ? ", rank-stabilised" : ""}`, () => {
    using directory = new TemporaryDirectory();
    const members = ["a", "b", "c"].map((role) => adapter(role, { rankStabilised }));
    writeModel(directory.path, soupOf(members));
    const soup = loadFrozenModel(directory.path); // read from PEFT's files
    assert(soup.parameters.backbone === members[0]!.parameters.backbone);
    const merged = mergedModel(soup).parameters, parts = members.map((m) => mergedModel(m).parameters);
    for (const { name } of merged.specs) {
      merged.view(name).forEach((x, i) => {
        const mean = parts.reduce((sum, part) => sum + part.view(name)[i]!, 0) / 3;
        assertAlmostEquals(x, mean, 1e-6, `${name}[${i}]`);
      });
    }
  });
}

Deno.test("all models that cannot be averaged are listed", () => {
  const plain = { ...loadModel(BASE), role: "members[0]" };
  const other = { ...loadModel(`${SRPPO}/sft`), role: "members[1]" };
  const error = assertThrows(
    () => soupOf([plain, other, { ...adapter("x"), role: "members[2]" }]),
    DataError,
  );
  assertEquals(
    error.message.replace(/parameters: .*?; members/, "parameters: …; members"),
    "combine=soup requires members with the same architecture as members[0]: members[1] has different parameters: …; members[2] is an adapter",
  );
  const narrow = assertThrows(() => soupOf([adapter("a"), adapter("b", { rank: 2 })]), DataError);
  assertEquals(
    narrow.message,
    "combine=soup requires members with the same architecture as a: b has different target modules, ranks or scales",
  );
});

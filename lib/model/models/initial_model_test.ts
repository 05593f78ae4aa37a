import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { GOLDEN_FOLDER, GOLDEN_NAMES } from "@/tests/support/golden_families.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { initialModel, isWithoutWeights } from "./initial_model.ts";

function configOnly(family: string, changes: Record<string, unknown> = {}): TemporaryDirectory {
  const directory = new TemporaryDirectory();
  const config = JSON.parse(Deno.readTextFileSync(`${GOLDEN_FOLDER}/${family}/config.json`));
  directory.write("config.json", JSON.stringify({ ...config, ...changes }));
  return directory;
}

Deno.test("matrices are normal with initializer_range, norms are the identity, biases are 0, in every family", () => {
  for (const family of GOLDEN_NAMES) {
    using directory = configOnly(family, { initializer_range: 0.05 });
    assert(isWithoutWeights(directory.path));
    const { parameters, model } = initialModel(directory.path, 7);
    const neutral = model.modelType.startsWith("gemma") ? 0 : 1;
    assertEquals(model.neutralNorm ?? 1, neutral, family);
    const matrices = parameters.data.subarray(0, parameters.decayed), count = matrices.length;
    const mean = matrices.reduce((sum, x) => sum + x, 0) / count;
    const variance = matrices.reduce((sum, x) => sum + (x - mean) ** 2, 0) / count;
    assertAlmostEquals(mean, 0, 0.002);
    assertAlmostEquals(Math.sqrt(variance), 0.05, 0.002);
    for (const { name, shape } of parameters.specs) {
      if (shape.length > 1) continue;
      const wanted = name.endsWith(".bias") ? 0 : neutral;
      assert(parameters.view(name).every((value) => value === wanted), `${family} ${name}`);
    }
  }
});

Deno.test("equal seeds give equal weights, other seeds others; existing weights are not replaced", () => {
  using directory = configOnly("llama");
  const dataOf = (seed: number) => initialModel(directory.path, seed).parameters.data;
  assertEquals(dataOf(1), dataOf(1));
  assert(dataOf(1)[0] !== dataOf(2)[0]);
  assertEquals(isWithoutWeights(`${GOLDEN_FOLDER}/llama`), false);
  directory.write("pytorch_model.bin", "");
  assertEquals([isWithoutWeights(directory.path), isWithoutWeights("no_such")], [false, false]);
});

Deno.test("an initializer_range that is not positive is rejected", () => {
  using directory = configOnly("llama", { initializer_range: -1 });
  assertThrows(
    () => initialModel(directory.path, 1),
    DataError,
    `${directory.file("config.json")}: initializer_range must be a positive number, got -1`,
  );
});

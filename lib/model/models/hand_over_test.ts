/** Models handed over in memory: equal to those on disk, and writing to one does not change another. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import type { FileContent, HandOver } from "@/lib/data/files/hand_over.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { borrowLanguageModel, criticFrom, type LoadedModel, loadModel, writeModel } from "./checkpoint.ts";
import { newAdapter } from "./lora/new_adapter.ts";

const LLAMA = "fixtures/goldens/srppo/sft";

/** Writes all of a model but its weights, which the hand-over holds. */
function handed(directory: TemporaryDirectory, loaded: LoadedModel): HandOver {
  const files = new Map<string, FileContent>();
  writeModel(directory.path, loaded, (name, content) => (files.set(directory.file(name), content), false));
  assertEquals(files.size, 1);
  assert(
    !Deno.readDirSync(directory.path).some(({ name }) => name.endsWith("model.safetensors")),
    "not written",
  );
  return { taken: (path) => files.get(path), names: () => [], give: () => true, release: () => {} };
}

function equal(found: LoadedModel, wanted: LoadedModel): void {
  assertEquals(found.parameters.specs, wanted.parameters.specs);
  assertEquals(found.parameters.data, wanted.parameters.data);
}

Deno.test("a model from memory equals the one on disk; loadModel() copies its weights, borrowLanguageModel() does not", () => {
  using directory = new TemporaryDirectory();
  const wanted = loadModel(LLAMA), handOver = handed(directory, wanted);
  const [read, borrowed] = [
    loadModel(directory.path, handOver),
    borrowLanguageModel(directory.path, handOver),
  ];
  equal(read, wanted);
  equal(borrowed, wanted);
  assert(read.parameters.data.buffer !== wanted.parameters.data.buffer);
  assert(borrowed.parameters.data.buffer === wanted.parameters.data.buffer);
  const before = borrowed.parameters.data.slice();
  read.parameters.data.fill(0);
  assertEquals(borrowed.parameters.data, before);
});

Deno.test("a critic and an adapter pass through memory as well", () => {
  const base = loadModel(LLAMA), critic = criticFrom(base);
  using directory = new TemporaryDirectory();
  equal(loadModel(directory.path, handed(directory, critic)), critic);
  const config = { rank: 2, alpha: 4, rankStabilised: false, targets: "all-linear", excluded: [] } as const;
  const adapter = newAdapter(base, {
    ...config,
    layers: null,
    rankPattern: {},
    alphaPattern: {},
    dropout: 0,
    transposed: null,
  }, { baseDirectory: LLAMA, seed: 1 });
  using other = new TemporaryDirectory();
  const handOver = handed(other, adapter);
  equal(loadModel(other.path, handOver), adapter);
  equal(borrowLanguageModel(other.path, handOver), adapter);
});

Deno.test("weights in memory are checked like those on disk", () => {
  using directory = new TemporaryDirectory();
  const model = loadModel(LLAMA), handOver = handed(directory, model);
  const { name } = model.parameters.specs[0]!, file = join(directory.path, "model.safetensors");
  model.parameters.view(name)[3] = NaN;
  for (const load of [loadModel, borrowLanguageModel]) {
    assertEquals(
      assertThrows(() => load(directory.path, handOver), DataError).message,
      `${file}: weights must be finite, but element 3 of ${name} is NaN`,
    );
  }
});

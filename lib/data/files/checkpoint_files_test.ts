import { assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { openCheckpointFiles } from "./checkpoint_files.ts";
import { readJsonl } from "./jsonl.ts";

const CORRUPT = join(import.meta.dirname!, "../../../fixtures/goldens/corrupt");

/** Reads every weight. */
function readAll(directory: string): Map<string, Float32Array> {
  using files = openCheckpointFiles(directory);
  return new Map(files.names.map((name) => [name, files.readFloat32(name)]));
}

for (const { value: { file, must_mention, why } } of readJsonl(join(CORRUPT, "expected.jsonl"))) {
  const name = String(file);
  const ours = /^(st_|shard_|weight_nan|weight_inf|no_weights|pickle_only)/.test(name);
  if (!ours || name === "st_extra_tensor_constructor") continue;
  Deno.test(`openCheckpointFiles() refuses ${name}: ${why}`, () => {
    const error = assertThrows(() => readAll(join(CORRUPT, name)), DataError);
    for (const part of must_mention as string[]) {
      assertEquals(error.message.toLowerCase().includes(part.toLowerCase()), true, error.message);
    }
  });
}

Deno.test("openCheckpointFiles() has a tensor named constructor, and names a missing one", () => {
  const directory = join(CORRUPT, "st_extra_tensor_constructor");
  using files = openCheckpointFiles(directory);
  assertEquals(files.has("constructor"), true);
  assertEquals(files.has("toString"), false);
  assertEquals(
    assertThrows(() => files.shape("model.layers.0.self_attn.q_proj.weight"), DataError).message,
    `${directory}: missing tensor model.layers.0.self_attn.q_proj.weight`,
  );
});

Deno.test("a sharded checkpoint is read like one in a single file", () => {
  using sharded = openCheckpointFiles(join(CORRUPT, "ok_sharded"));
  using single = openCheckpointFiles(join(CORRUPT, "ok_model"));
  for (const name of sharded.names) {
    assertEquals(sharded.readFloat32(name).length, sharded.shape(name).reduce((a, b) => a * b, 1));
  }
  const common = sharded.names.filter((name) => single.has(name));
  assertEquals(common.length > 0, true);
  for (const name of common) assertEquals(sharded.shape(name), single.shape(name));
});

Deno.test("a weight that is not finite is named with its file and element", () => {
  const path = join(CORRUPT, "weight_nan");
  const error = assertThrows(() => readAll(path), DataError);
  assertEquals(
    error.message.replace(/element \d+/, "element N"),
    `${path}/model.safetensors: weights must be finite, but element N of model.layers.0.mlp.up_proj.weight is NaN`,
  );
});

Deno.test("openCheckpointFiles() names all missing shards and a missing directory", () => {
  using directory = new TemporaryDirectory();
  const index = directory.write(
    "model.safetensors.index.json",
    '{"weight_map": {"a": "x.safetensors", "b": "y.safetensors"}}',
  );
  assertEquals(
    assertThrows(() => openCheckpointFiles(directory.path), DataError).message,
    `${index}: missing shards: x.safetensors; y.safetensors`,
  );
  assertEquals(
    assertThrows(() => openCheckpointFiles("runs/none"), DataError).message,
    "Cannot read runs/none: no such file or directory",
  );
});

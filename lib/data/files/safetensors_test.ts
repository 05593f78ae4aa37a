import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { join } from "node:path";
import { allocate, type DType } from "@/lib/compute/tensor/dtype.ts";
import { DataError, ShapeError } from "@/lib/compute/tensor/errors.ts";
import { f32, type HostTensor, hostTensor, sizeOf } from "@/lib/compute/tensor/tensor.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { type NamedTensor, openSafetensors, writeSafetensors } from "./safetensors.ts";

const CORRUPT = join(import.meta.dirname!, "../../../fixtures/goldens/corrupt");

const DTYPES: readonly DType[] = ["f64", "f32", "f16", "bf16", "i64", "i32", "u8", "bool"];

/** A tensor whose bytes count up from `seed`. */
function counting(dtype: DType, shape: readonly number[], seed: number): HostTensor {
  const data = allocate(dtype, sizeOf(shape));
  new Uint8Array(data.buffer).forEach((_, i, bytes) => bytes[i] = seed + i);
  return hostTensor(dtype, shape, data);
}

const tensors = fc.uniqueArray(
  fc.record({
    name: fc.string({ unit: "grapheme" }).filter((name) => !["__metadata__", "__proto__"].includes(name)),
    dtype: fc.constantFrom(...DTYPES),
    shape: fc.array(fc.nat(4), { maxLength: 4 }),
    seed: fc.nat(255),
  }),
  { selector: ({ name }) => name, maxLength: 8 },
).map((list) => list.map(({ name, dtype, shape, seed }) => ({ name, tensor: counting(dtype, shape, seed) })));

Deno.test("a safetensors file gives back what was written, whatever the order", () => {
  using directory = new TemporaryDirectory();
  const [one, two] = [directory.file("one"), directory.file("two")];
  const property = fc.property(tensors, fc.dictionary(fc.string(), fc.string()), (list, metadata) => {
    writeSafetensors(one, list, metadata);
    writeSafetensors(two, list.toReversed(), Object.fromEntries(Object.entries(metadata).reverse()));
    assertEquals(Deno.readFileSync(one), Deno.readFileSync(two));
    using file = openSafetensors(one);
    assertEquals([...file.names].sort(), list.map(({ name }) => name).sort());
    assertEquals(Object.entries(file.metadata), Object.entries(metadata).sort(([a], [b]) => a < b ? -1 : 1));
    for (const { name, tensor } of list) assertEquals(file.read(name), tensor);
  });
  fc.assert(property, { seed: 1, numRuns: 60 });
});

// Python's safetensors wrote these files: what is read from them and written again must be the same bytes.
for (const path of ["ok_model/model.safetensors", "ok_sharded/model-00001-of-00002.safetensors"]) {
  Deno.test(`writeSafetensors() writes ${path} as the reference implementation did`, () => {
    using directory = new TemporaryDirectory();
    using file = openSafetensors(join(CORRUPT, path));
    const copy = directory.file("copy.safetensors");
    const list: NamedTensor[] = file.names.map((name) => ({ name, tensor: file.read(name) }));
    writeSafetensors(copy, list.toReversed(), file.metadata);
    assertEquals(Deno.readFileSync(copy), Deno.readFileSync(join(CORRUPT, path)));
  });
}

Deno.test("readFloat32() widens in chunks, into an array that is given", () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("a.safetensors");
  const size = 5_000_001; // three chunks of 4 MB
  const bits = Uint16Array.from({ length: size }, (_, i) => (i * 7919) % 0x7c00);
  writeSafetensors(path, [
    { name: "bf16", tensor: hostTensor("bf16", [size], bits) },
    { name: "f64", tensor: hostTensor("f64", [3], Float64Array.of(0.1, 2, 1e40)) },
    { name: "i64", tensor: hostTensor("i64", [1], BigInt64Array.of(1n)) },
  ]);
  using file = openSafetensors(path);
  const into = new Float32Array(size + 2);
  file.readFloat32("bf16", into.subarray(1, size + 1));
  assertEquals([into[0], into[size + 1]], [0, 0]);
  const expected = new Float32Array(Uint32Array.from(bits, (b) => b << 16).buffer);
  assertEquals(into.subarray(1, size + 1).every((value, i) => value === expected[i]), true);
  assertEquals(Array.from(file.readFloat32("f64")), [Math.fround(0.1), 2, Infinity]);
  assertEquals(
    assertThrows(() => file.readFloat32("i64"), DataError).message,
    `${path}: i64 must hold floats, got I64`,
  );
  assertEquals(
    assertThrows(() => file.readFloat32("f64", new Float32Array(2)), ShapeError).message,
    `${path}: f64 needs an array of 3 elements, got 2`,
  );
  assertEquals(
    assertThrows(() => file.info("none"), DataError).message,
    `${path}: missing tensor none`,
  );
});

Deno.test("openSafetensors() lists all problems of a header", () => {
  using directory = new TemporaryDirectory();
  const header = JSON.stringify({
    a: { dtype: "F12", shape: [1], data_offsets: [0, 4] },
    b: { dtype: "F32", shape: [1.5], data_offsets: [0, 4] },
    c: { dtype: "F32", shape: [2 ** 50, 2 ** 50], data_offsets: [0, 4] },
    d: { dtype: "F32", shape: [1], data_offsets: [4, 8] },
    e: 1,
  });
  const bytes = new Uint8Array(8 + header.length + 4);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(new TextEncoder().encode(header), 8);
  const path = directory.write("a.safetensors", bytes);
  assertEquals(
    assertThrows(() => openSafetensors(path), DataError).message,
    `${path}: invalid safetensors file: ` +
      "a must have a dtype of F64, F32, F16, BF16, I64, I32, U8, BOOL, got F12; " +
      "b must have a list of sizes as its shape, got [1.5]; " +
      "c has a shape too large for any file: [1125899906842624,1125899906842624]; " +
      "d ends at byte 8, after the end of the data at 4; e must have an object as its entry",
  );
});

Deno.test("a file with any one byte of its header changed is refused, or read without harm", () => {
  using directory = new TemporaryDirectory();
  const valid = Deno.readFileSync(join(CORRUPT, "ok_model/model.safetensors"));
  const headerEnd = 8 + Number(new DataView(valid.buffer).getBigUint64(0, true));
  const property = fc.property(fc.nat(headerEnd - 1), fc.nat(255), (at, value) => {
    const bytes = valid.slice();
    bytes[at] = value;
    const path = directory.write("a.safetensors", bytes);
    try {
      using file = openSafetensors(path);
      for (const name of file.names) file.read(name);
    } catch (error) {
      assert(error instanceof DataError, String(error));
    }
  });
  fc.assert(property, { seed: 1, numRuns: 300 });
});

Deno.test("writeSafetensors() refuses a name that is used twice or reserved", () => {
  const tensor = f32([1], [0]);
  const list = ["a", "b", "a", "__metadata__"].map((name) => ({ name, tensor }));
  assertEquals(
    assertThrows(() => writeSafetensors("runs/none", list), DataError).message,
    "runs/none: tensor names must be unique and not reserved, got a, __metadata__",
  );
});

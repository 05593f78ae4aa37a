import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { f32, hostTensor } from "@/lib/compute/tensor/tensor.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { digestFile, digestParts } from "./digest.ts";
import { type FileContent, fileContent, type HandOver, partAt, passOn, readContent } from "./hand_over.ts";
import { openSafetensors, writeSafetensors } from "./safetensors.ts";

const parts = fc.array(fc.uint8Array({ maxLength: 9 }).map((bytes) => bytes.slice()), { maxLength: 6 });

Deno.test("readContent() gives any range of the parts put one after the other, and refuses what lies beyond", () => {
  const property = fc.property(parts, fc.nat(60), fc.nat(60), (list, at, length) => {
    const content = fileContent(list), whole = Uint8Array.from(list.flatMap((part) => [...part]));
    assertEquals(content.size, whole.length);
    const into = new Uint8Array(length);
    if (at + length > whole.length) {
      const error = assertThrows(() => readContent("w", content, at, into), DataError);
      assertEquals(error.message, "w changed while it was read: it ends early");
      return;
    }
    readContent("w", content, at, into);
    assertEquals(into, whole.slice(at, at + length));
  });
  fc.assert(property, { seed: 1, numRuns: 500 });
});

Deno.test("partAt() finds a part by its place and length alone", () => {
  const [a, b] = [Uint8Array.of(1, 2), Uint8Array.of(3)];
  const content = fileContent([a, b]);
  assertEquals([partAt(content, 0, 2), partAt(content, 2, 3)], [a, b]);
  assertEquals([partAt(content, 0, 1), partAt(content, 1, 3), partAt(content, 3, 4)], [
    undefined,
    undefined,
    undefined,
  ]);
});

Deno.test("a safetensors file in memory has the bytes of the file on disk, and reads as it does", () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("model.safetensors");
  const tensors = [
    { name: "wide", tensor: f32([2, 3], [1, 2, 3, 4, 5, 6]) },
    { name: "narrow", tensor: hostTensor("bf16", [3], Uint16Array.of(0x3f80, 0xc000, 0x3f00)) },
  ];
  let given: FileContent | undefined;
  writeSafetensors(path, tensors, { format: "pt" }, (content) => (given = content, true));
  assertEquals(digestParts(given!.parts), { digest: digestFile(path), size: Deno.statSync(path).size });
  const handOver = only(path, given!);
  using stored = openSafetensors(path);
  Deno.removeSync(path);
  using file = openSafetensors(path, handOver);
  assertEquals([file.names, file.metadata], [stored.names, stored.metadata]);
  for (const { name } of tensors) {
    assertEquals(file.read(name), stored.read(name));
    assertEquals(file.readFloat32(name), stored.readFloat32(name));
  }
  const lent = file.borrowFloat32("wide")!;
  assertEquals(lent.buffer, (tensors[0]!.tensor.data as Float32Array<ArrayBuffer>).buffer);
  assert(file.readFloat32("wide").buffer !== lent.buffer, "who reads gets a copy");
  assertEquals([file.borrowFloat32("narrow"), stored.borrowFloat32("wide")], [undefined, undefined]);
});

Deno.test("a file that is given away and need not be written is not written", () => {
  using directory = new TemporaryDirectory();
  writeSafetensors(directory.file("x"), [{ name: "a", tensor: f32([1], [1]) }], {}, () => false);
  assertEquals([...Deno.readDirSync(directory.path)], []);
});

Deno.test("passOn() links files, and gives on or writes what is in memory alone", () => {
  for (const written of [true, false]) {
    using directory = new TemporaryDirectory();
    Deno.mkdirSync(directory.file("from"));
    directory.write("from/config.json", "{}");
    const content = fileContent([Uint8Array.of(1), Uint8Array.of(2, 3)]);
    const given = new Map<string, FileContent>();
    const handOver = only(
      directory.file("from/weights"),
      content,
      (path) => (given.set(path, content), written),
    );
    passOn(directory.file("from"), directory.file("to"), "/final", handOver);
    assertEquals(Deno.readTextFileSync(directory.file("to/config.json")), "{}");
    assertEquals([...given.keys()], ["/final/weights"]);
    const names = [...Deno.readDirSync(directory.file("to"))].map(({ name }) => name).sort();
    assertEquals(names, written ? ["config.json", "weights"] : ["config.json"]);
    if (written) assertEquals(Deno.readFileSync(directory.file("to/weights")), Uint8Array.of(1, 2, 3));
  }
});

/** A hand-over that holds one file. */
function only(path: string, content: FileContent, give: (path: string) => boolean = () => true): HandOver {
  return {
    taken: (at) => at === path ? content : undefined,
    names: () => [path.slice(path.lastIndexOf("/") + 1)],
    give,
    release: () => {},
  };
}

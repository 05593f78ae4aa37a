import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { digestBytes, digestDirectory, digestFile, digestJson } from "./digest.ts";

// From FIPS 180-2, appendix B: "abc".
const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

Deno.test("digestBytes() and digestFile() are SHA-256", () => {
  using directory = new TemporaryDirectory();
  assertEquals(digestBytes("abc"), ABC);
  assertEquals(digestFile(directory.write("abc", "abc")), ABC);
  // One million "a": FIPS 180-2, appendix B.3; read in one chunk. Nine millions take three.
  const long = new Uint8Array(9_000_000).fill(0x61);
  assertEquals(
    digestFile(directory.write("a", long.subarray(0, 1_000_000))),
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
  );
  assertEquals(digestFile(directory.write("b", long)), digestBytes(long));
});

Deno.test("digestJson() digests canonical JSON", () => {
  assertEquals(digestJson({ b: 1, a: 2 }), digestBytes('{"a":2,"b":1}'));
});

const LINKS = join(import.meta.dirname!, "../../../fixtures/links");

Deno.test("digestDirectory() is the digest of sha256sum's lines, sorted by path, links to files included", () => {
  const found = digestDirectory(join(LINKS, "linked_file"));
  assertEquals(found.files, {
    "link": { digest: ABC, size: 3 },
    "sub/a": { digest: ABC, size: 3 },
    "z": { digest: ABC, size: 3 },
  });
  assertEquals(Object.keys(found.files), ["link", "sub/a", "z"]);
  assertEquals(found.digest, digestBytes(`${ABC}  link\n${ABC}  sub/a\n${ABC}  z\n`));
});

Deno.test("digestDirectory() counts names and content, and leaves out hidden entries", () => {
  using directory = new TemporaryDirectory();
  directory.write("z", "abc");
  const before = digestDirectory(directory.path).digest;
  Deno.mkdirSync(directory.file(".git"));
  directory.write(".git/config", "left out");
  directory.write(".hidden", "left out");
  assertEquals(digestDirectory(directory.path).digest, before);
  Deno.renameSync(directory.file("z"), directory.file("y"));
  assertNotEquals(digestDirectory(directory.path).digest, before);
});

Deno.test("digestDirectory() refuses a link to a directory", () => {
  const path = join(LINKS, "linked_directory");
  assertEquals(
    assertThrows(() => digestDirectory(path), DataError).message,
    `${path}/link must be a file or a directory (links to directories are not followed)`,
  );
});

Deno.test("digestFile() names a file that is not there", () => {
  const error = assertThrows(() => digestFile("runs/none"), DataError);
  assertEquals(error.message, "Cannot read runs/none: no such file or directory");
});

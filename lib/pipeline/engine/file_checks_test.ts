import { assertEquals } from "@std/assert";
import { digestBytes } from "@/lib/data/files/digest.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { FileChecks } from "./file_checks.ts";

const FILE = { digest: digestBytes("1234"), size: 4 };

Deno.test("a file is hashed once, and again only if its inode, size or times change", () => {
  using dir = new TemporaryDirectory();
  const path = dir.write("file", "1234"), checks = new FileChecks();
  assertEquals([checks.isSound(path, FILE), checks.isSound(path, FILE), checks.hashedBytes], [true, true, 4]);
  Deno.writeTextFileSync(path, "4321");
  Deno.utimeSync(path, 1, 1);
  assertEquals([checks.isSound(path, FILE), checks.isSound(path, FILE), checks.hashedBytes], [
    false,
    false,
    12,
  ]);
  Deno.writeTextFileSync(path, "123");
  assertEquals([checks.isSound(path, FILE), checks.hashedBytes], [false, 12], "its size tells");
});

Deno.test("a file that was hashed before it was stored is not hashed again, also after it gets a hard link", () => {
  using dir = new TemporaryDirectory();
  const path = dir.write("file", "1234"), checks = new FileChecks();
  checks.note(path, FILE.digest);
  checks.linking(path, () => Deno.linkSync(path, dir.file("link")));
  assertEquals([checks.isSound(path, FILE), checks.hashedBytes], [true, 0]);
});

Deno.test("a directory, a symbolic link and nothing are no sound file", () => {
  using dir = new TemporaryDirectory();
  const checks = new FileChecks();
  Deno.mkdirSync(dir.file("directory"));
  assertEquals(["directory", "missing"].map((name) => checks.isSound(dir.file(name), FILE)), [false, false]);
});

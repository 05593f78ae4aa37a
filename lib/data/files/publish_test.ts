import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { join } from "node:path";
import { DataError, exitCodeOf, TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { writeError } from "./file_errors.ts";
import { linkOrCopy, publishDirectory, publishFile } from "./publish.ts";
import { writeWholeFile } from "./whole_file.ts";

function entries(path: string): string[] {
  return Array.from(Deno.readDirSync(path), (entry) => entry.name).sort();
}

Deno.test("publishFile() makes parents, replaces what is there, and leaves nothing else", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("a/b/c.txt");
  await publishFile(path, (temporary) => Deno.writeTextFileSync(temporary, "old"));
  await publishFile(path, (temporary) => {
    assertEquals(Deno.readTextFileSync(path), "old");
    Deno.writeTextFileSync(temporary, "new");
  });
  assertEquals(Deno.readTextFileSync(path), "new");
  assertEquals(entries(directory.file("a/b")), ["c.txt"]);
});

Deno.test("publishFile() keeps the old file and removes the half-written one where writing fails", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("c.txt", "old");
  const failure = new DataError("This test fails");
  const error = await assertRejects(() =>
    publishFile(path, (temporary) => {
      Deno.writeTextFileSync(temporary, "half");
      throw failure;
    })
  );
  assert(error === failure);
  assertEquals(Deno.readTextFileSync(path), "old");
  assertEquals(entries(directory.path), ["c.txt"]);
});

Deno.test("publishDirectory() replaces a directory as a whole", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.file("model");
  await publishDirectory(path, (temporary) => {
    Deno.mkdirSync(`${temporary}/sub`);
    Deno.writeTextFileSync(`${temporary}/sub/old`, "1");
  });
  await publishDirectory(path, (temporary) => Deno.writeTextFileSync(`${temporary}/new`, "2"));
  assertEquals(entries(directory.path), ["model"]);
  assertEquals(entries(path), ["new"]);
  await assertRejects(
    () => publishDirectory(path, () => Promise.reject(new UsageError("Cannot"))),
    UsageError,
  );
  assertEquals(entries(directory.path), ["model"]);
});

Deno.test("publishFile() says why a place cannot be written", async () => {
  using directory = new TemporaryDirectory();
  const file = directory.write("file", "");
  const path = `${file}/below`;
  const error = await assertRejects(() => publishFile(path, () => {}), UsageError);
  assertEquals(error.message, `Cannot write ${path}: already exists`);
});

Deno.test("a full disk may have space later (exit code 75), a read-only one may not (64)", () => {
  const full = writeError("x", Object.assign(new Error("No space left on device"), { code: "ENOSPC" }));
  assert(full instanceof TryAgainError);
  assertEquals(full.message, "Not enough disk space for x: the disk is full");
  assertEquals(exitCodeOf(full), 75);
  const readOnly = writeError("x", Object.assign(new Error("Read-only file system"), { code: "EROFS" }));
  assertEquals(readOnly.message, "Cannot write x: the file system is read-only");
  assertEquals(exitCodeOf(readOnly), 64);
});

Deno.test("publishFile() on a disk that gets full keeps the old file and asks for another try", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("c.txt", "old");
  const original = Deno.FsFile.prototype.writeSync;
  let writes = 0;
  Deno.FsFile.prototype.writeSync = function (bytes): number {
    // A full disk takes a part of what it is given, then nothing.
    if (writes++ === 0) return original.call(this, bytes.subarray(0, 3));
    throw Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" });
  };
  try {
    const error = await assertRejects(
      () => publishFile(path, (temporary) => writeWholeFile(temporary, [new Uint8Array(8)])),
      TryAgainError,
    );
    assertMatch(
      error.message,
      /^Not enough disk space for .*c\.txt\.[0-9a-f]{8}\.partial: the disk is full$/,
    );
  } finally {
    Deno.FsFile.prototype.writeSync = original;
  }
  assertEquals(writes, 2);
  assertEquals(Deno.readTextFileSync(path), "old");
  assertEquals(entries(directory.path), ["c.txt"]);
});

Deno.test("writeWholeFile() writes the rest where the system writes a part of the bytes", () => {
  using directory = new TemporaryDirectory();
  const original = Deno.FsFile.prototype.writeSync;
  Deno.FsFile.prototype.writeSync = function (bytes): number {
    return original.call(this, bytes.subarray(0, 3));
  };
  try {
    writeWholeFile(directory.file("a"), [
      Uint8Array.of(1, 2, 3, 4, 5, 6, 7),
      Uint8Array.of(),
      Uint8Array.of(8),
    ]);
  } finally {
    Deno.FsFile.prototype.writeSync = original;
  }
  assertEquals(Deno.readFileSync(directory.file("a")), Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
});

Deno.test("linkOrCopy() gives a file a second name, and never a symbolic link", () => {
  using directory = new TemporaryDirectory();
  const file = directory.write("file", "abc");
  linkOrCopy(file, directory.file("hard"));
  linkOrCopy(join(import.meta.dirname!, "../../../fixtures/links/linked_file/link"), directory.file("copy"));
  for (const name of ["hard", "copy"]) {
    assert(Deno.lstatSync(directory.file(name)).isFile);
    assertEquals(Deno.readTextFileSync(directory.file(name)), "abc");
  }
  assertEquals(Deno.statSync(directory.file("hard")).ino, Deno.statSync(file).ino);
  const error = assertThrows(() => linkOrCopy(file, directory.file("copy")), UsageError);
  assertEquals(error.message, `Cannot write ${directory.file("copy")}: already exists`);
  const missing = directory.file("missing");
  assertThrows(() => linkOrCopy(missing, directory.file("x")), DataError, "no such file");
});

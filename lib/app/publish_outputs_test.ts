import { assertEquals, assertThrows } from "@std/assert";
import { dirname } from "node:path";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { type OutputMove, partialFolder, publishOutputs, undoHalfPublished } from "./publish_outputs.ts";

/** Makes a file `a` and a folder `b` as a stage does, and returns their moves. */
function written(dir: TemporaryDirectory): OutputMove[] {
  const moves = ["a", "b"].map((name) => {
    const from = `${partialFolder(dir.file(name), "0123abcd")}/outputs/${name}`;
    Deno.mkdirSync(dirname(from), { recursive: true });
    return { from, to: dir.file(name) };
  });
  Deno.writeTextFileSync(moves[0]!.from, "text");
  Deno.mkdirSync(moves[1]!.from);
  Deno.writeTextFileSync(`${moves[1]!.from}/part`, "part");
  return moves;
}

function visible(dir: TemporaryDirectory): string[] {
  return [...Deno.readDirSync(dir.path)].map(({ name }) => name).filter((name) => !name.startsWith("."))
    .sort();
}

Deno.test("publishOutputs() moves files and folders to their locations", () => {
  using dir = new TemporaryDirectory();
  assertEquals(publishOutputs(written(dir)), undefined);
  assertEquals(visible(dir), ["a", "b"]);
  assertEquals(Deno.readTextFileSync(dir.file("a")), "text");
  assertEquals(Deno.readTextFileSync(dir.file("b/part")), "part");
  // Nothing is left to undo.
  undoHalfPublished(dir.file("a"));
  assertEquals(visible(dir), ["a", "b"]);
});

Deno.test("publishOutputs() moves nothing if a location is in use, an empty folder included", () => {
  using dir = new TemporaryDirectory();
  const moves = written(dir);
  Deno.mkdirSync(dir.file("b"));
  assertEquals(publishOutputs(moves), [dir.file("b")]);
  assertEquals(visible(dir), ["b"]);
  assertEquals([...Deno.readDirSync(dir.file("b"))], []);
});

Deno.test("publishOutputs() takes back what it has moved if a later output is missing", () => {
  using dir = new TemporaryDirectory();
  const moves = written(dir);
  Deno.removeSync(moves[1]!.from, { recursive: true });
  assertThrows(() => publishOutputs(moves), Deno.errors.NotFound);
  assertEquals(visible(dir), []);
  assertEquals(Deno.readTextFileSync(moves[0]!.from), "text");
});

Deno.test("undoHalfPublished() removes the whole set of a killed run, and nothing that others made", () => {
  for (const last of ["kept", "moved", "made by others"]) {
    using dir = new TemporaryDirectory();
    const moves = written(dir);
    for (const { from } of moves) {
      Deno.writeTextFileSync(`${dirname(dirname(from))}/publishing.json`, JSON.stringify(moves));
    }
    Deno.linkSync(moves[0]!.from, moves[0]!.to);
    if (last === "moved") Deno.renameSync(moves[1]!.from, moves[1]!.to);
    if (last === "made by others") Deno.writeTextFileSync(moves[1]!.to, "other");
    undoHalfPublished(moves[0]!.to);
    assertEquals(
      [...Deno.readDirSync(dir.path)].map(({ name }) => name),
      last === "made by others" ? ["b"] : [],
    );
  }
});

import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { dirname, matchesGlob } from "node:path";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { symlink } from "@/tests/support/symlink.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { fileSet, namedPaths, resolvePattern, shownPath, whatIsMissing } from "./file_pattern.ts";
import { namePattern } from "./name_pattern.ts";

/** A directory with empty files of these names. */
function folderOf(...names: string[]): TemporaryDirectory {
  const directory = new TemporaryDirectory();
  for (const name of names) {
    Deno.mkdirSync(dirname(directory.file(name)), { recursive: true });
    directory.write(name, "");
  }
  return directory;
}

/** Names below the directory of the files that a pattern gives. */
function found(directory: TemporaryDirectory, pattern: string): string[] {
  const path = resolvePattern(directory.file(pattern));
  assertEquals(whatIsMissing(path), []);
  return namedPaths(path).map((file) => file.slice(directory.path.length + 1));
}

Deno.test("a pattern gives the files that match, sorted, each once", () => {
  using dir = folderOf(
    "b.jsonl",
    "a.jsonl",
    "c.csv",
    "a/x.jsonl",
    "a/b/y.jsonl",
    ".hidden.jsonl",
    ".git/z.jsonl",
  );
  assertEquals(found(dir, "*.jsonl"), ["a.jsonl", "b.jsonl"]);
  assertEquals(found(dir, "**/*.jsonl"), ["a.jsonl", "a/b/y.jsonl", "a/x.jsonl", "b.jsonl"]);
  assertEquals(found(dir, "**"), ["a.jsonl", "a/b/y.jsonl", "a/x.jsonl", "b.jsonl", "c.csv"]);
  assertEquals(found(dir, "a/**/**/*.jsonl"), ["a/b/y.jsonl", "a/x.jsonl"]);
  assertEquals(found(dir, "*/x.jsonl"), ["a/x.jsonl"]);
  assertEquals(found(dir, "?.[!j]*"), ["c.csv"]);
  assertEquals(found(dir, "[b-c].*"), ["b.jsonl", "c.csv"]);
  assertEquals(found(dir, "{c,a}.{csv,jsonl}".replace("{csv,jsonl}", "*")), ["a.jsonl", "c.csv"]);
  assertEquals(found(dir, "{*.jsonl,a/{x,b/*}*}"), ["a.jsonl", "a/b/y.jsonl", "a/x.jsonl", "b.jsonl"]);
  assertEquals(found(dir, ".*.jsonl"), [".hidden.jsonl"]);
  assertEquals(found(dir, ".git/*"), [".git/z.jsonl"]);
});

Deno.test("what exists under its literal name is no pattern, and neither are the folders above a pattern", () => {
  using dir = folderOf("a[1].jsonl", "a1.jsonl", "d{x,y}*/b.jsonl", "d{x,y}*/we\\ird/c.jsonl", "dx/e.jsonl");
  assertEquals(found(dir, "a[1].jsonl"), ["a[1].jsonl"]);
  assertEquals(found(dir, "a[1]*"), ["a1.jsonl"]);
  assertEquals(found(dir, "a\\[1\\]*"), ["a[1].jsonl"]);
  assertEquals(found(dir, "d{x,y}*/*.jsonl"), ["d{x,y}*/b.jsonl"]);
  assertEquals(found(dir, "d{x,y}*/**/*.jsonl"), ["d{x,y}*/b.jsonl", "d{x,y}*/we\\ird/c.jsonl"]);
  assertEquals(found(dir, "d{x,y}*/we\\ird/*"), ["d{x,y}*/we\\ird/c.jsonl"]);
});

Deno.test("several files are names in braces, which need no look at a folder", () => {
  using dir = folderOf("d[1]/a,b.jsonl", "d[1]/{c}.jsonl", "d[1]/e/f\\g.jsonl");
  const path = resolvePattern(dir.file("d[1]/**"));
  assertEquals(path, `${dir.path}/d\\[1\\]/{a\\,b.jsonl,e/f\\\\g.jsonl,\\{c\\}.jsonl}`);
  const set = { folder: dir.file("d[1]"), names: ["a,b.jsonl", "e/f\\g.jsonl", "{c}.jsonl"] };
  assertEquals(fileSet(path), set);
  assertEquals(resolvePattern(path), path);
  assertEquals(shownPath(path), `${dir.file("d[1]/a,b.jsonl")} and 2 more files`);
  Deno.removeSync(dir.path, { recursive: true });
  assertEquals(fileSet(path), set);
  Deno.mkdirSync(dir.path);
});

Deno.test("a plain path is its own name, there or not", () => {
  using dir = folderOf("a.jsonl");
  for (const name of ["a.jsonl", "none.jsonl", ".", "x{y}"]) {
    const path = dir.file(name);
    assertEquals([resolvePattern(path), fileSet(path), namedPaths(path), shownPath(path)], [
      path,
      undefined,
      [path],
      path,
    ]);
  }
  assertEquals(whatIsMissing(dir.file("a.jsonl")), []);
  assertEquals(whatIsMissing(dir.file("none.jsonl")), ["not found"]);
});

Deno.test("a pattern without a match stays, and says what is missing", () => {
  using dir = folderOf("a.jsonl", "folder/x.csv");
  for (const name of ["*.csv", "none/*.jsonl", "a.jsonl/*", "fol*", "[", "**/y*"]) {
    assertEquals(resolvePattern(dir.file(name)), dir.file(name));
    assertEquals(whatIsMissing(dir.file(name)), ["no file matches"], name);
  }
  const path = dir.file("{a,b}.jsonl");
  assertEquals(namedPaths(resolvePattern(path)), [dir.file("a.jsonl"), dir.file("b.jsonl")]);
  assertEquals(whatIsMissing(path), [`${dir.file("b.jsonl")} not found`]);
  const two = dir.file("{a*,b*}.jsonl");
  assertEquals(resolvePattern(two), two);
  assertEquals(whatIsMissing(two), [`no file matches ${dir.file("b*.jsonl")}`]);
});

Deno.test("links to files match, linked folders are entered by name and not by **, dead links are no files", () => {
  using dir = folderOf("real/a.jsonl");
  symlink("real/a.jsonl", dir.file("link.jsonl"));
  symlink("nowhere", dir.file("dead.jsonl"));
  symlink("..", dir.file("real/up"));
  assertEquals(found(dir, "*.jsonl"), ["link.jsonl"]);
  assertEquals(found(dir, "**/*.jsonl"), ["link.jsonl", "real/a.jsonl"]);
  assertEquals(found(dir, "real/*/link.jsonl"), ["real/up/link.jsonl"]);
});

Deno.test("a folder that cannot be read is an error and not an empty one", () => {
  using dir = folderOf("closed/a.jsonl");
  const lists = Deno.readDirSync;
  Deno.readDirSync = () => {
    throw Object.assign(new Deno.errors.PermissionDenied("no"), { code: "EACCES" });
  };
  try {
    assertThrows(
      () => resolvePattern(dir.file("closed/*.jsonl")),
      DataError,
      `Cannot read ${dir.file("closed")}: permission denied`,
    );
  } finally {
    Deno.readDirSync = lists;
  }
});

Deno.test("more files than a command line holds are refused, and so are braces without end", () => {
  using dir = new TemporaryDirectory();
  const names = Array.from({ length: 600 }, (_, k) => `${"é".repeat(100)}${k}`);
  for (const name of names) dir.write(name, "");
  const bytes = dir.path.length + "/{}".length + new TextEncoder().encode(names.join()).length;
  assertThrows(
    () => resolvePattern(dir.file("*")),
    UsageError,
    `${
      dir.file("*")
    } must match at most 5000 files with 120000 bytes in their names, got 600 with ${bytes} ` +
      "(name their folder instead)",
  );
  const braces = dir.file("{a,b}".repeat(40));
  assertThrows(
    () => resolvePattern(braces),
    UsageError,
    `Braces must expand to at most 5000 names, got more: ${braces.slice(0, 200)}`,
  );
});

Deno.test("name patterns match as node's glob does", () => {
  const text = fc.array(fc.constantFrom("a", "b", "*", "?", "[ab]", "[!a]", "[^b]", "[a-c]"), {
    maxLength: 6,
  });
  const name = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 6 });
  fc.assert(fc.property(text, name, (parts, characters) => {
    const pattern = parts.join(""), word = characters.join("");
    // Two stars alone are folders to node.
    if (pattern === "" || /^\*\*+$/.test(pattern)) return;
    assertEquals(namePattern(pattern).test(word), matchesGlob(word, pattern), `${pattern} on ${word}`);
  }));
});

Deno.test("a name pattern takes escapes, open brackets, brackets in classes and characters beyond 16 bits", () => {
  const matching: readonly (readonly [pattern: string, name: string])[] = [
    ["\\*", "*"],
    ["a[", "a["],
    ["[]]", "]"],
    ["[!]]", "a"],
    ["[\\]-]", "-"],
    ["[a\\-z]", "-"],
    ["?", "😀"],
    ["[😀-😂]x", "😁x"],
    ["*a*b*", "xxaxxbxx"],
  ];
  for (const [pattern, name] of matching) assertEquals(namePattern(pattern).test(name), true, pattern);
  for (
    const [pattern, name] of [["\\*", "a"], ["[!]]", "]"], ["[a\\-z]", "b"], ["*a*b*", "xbxa"], ["a", "ab"]]
  ) {
    assertEquals(namePattern(pattern!).test(name!), false, pattern);
  }
});

Deno.test("a pattern of many stars is compared in little time", () => {
  assertEquals(namePattern(`${"*a".repeat(100)}*b`).test("a".repeat(2000)), false);
});

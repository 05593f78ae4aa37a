/** Tests that no text of the project contains a phrase of `phrases.ts`. @module */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "@/lib/app/registry.ts";
import { ALLOWED_PHRASES, wrongPhrases } from "./phrases.ts";

const FOLDERS = ["docs", "fixtures", "lib", "pipelines", "stages", "tests"];
const PAGES = ["CHANGELOG.md", "Dockerfile", "EXPERIMENTS.md", "README.md", "deno.json"];

/** Returns the files that people read below `folder`: code, manifests, scripts and pages; no data. */
function textFiles(folder: string): string[] {
  return [...Deno.readDirSync(join(projectRoot, folder))].flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) return textFiles(path);
    const isText = folder.startsWith("fixtures") ? /README\.md$/ : /\.(?:ts|md|yaml|sh|py)$/;
    return isText.test(path) && !path.startsWith("tests/lint/phrases") ? [path] : [];
  }).sort();
}

Deno.test("no text of the project contains a phrase that is always wrong", () => {
  const used = new Set<string>();
  const found = [...FOLDERS.flatMap(textFiles), ...PAGES].flatMap((path) =>
    wrongPhrases(Deno.readTextFileSync(join(projectRoot, path))).filter((phrase) => {
      const key = `${path}: ${phrase.replace(/ \(write.*$/, "")}`;
      if (key in ALLOWED_PHRASES) used.add(key);
      return !(key in ALLOWED_PHRASES);
    }).map((phrase) => `${path}: ${phrase}`)
  );
  assertEquals(found, []);
  assertEquals(Object.keys(ALLOWED_PHRASES).filter((key) => !used.has(key)), [], "allowed without a use");
  assert(Object.keys(ALLOWED_PHRASES).length <= 20);
});

Deno.test("wrongPhrases() finds phrases across line breaks of prose, comments and strings", () => {
  for (
    const text of [
      "It goes\non",
      "/**\n * It goes\n * on. */",
      "// goes\n// on",
      '"goes " +\n  "on"',
      "| GOES on |",
    ]
  ) {
    assertEquals(wrongPhrases(text), ['goes on (write "continues, resumes")'], text);
  }
  assertEquals(wrongPhrases("The reward that the response has earned is paid, Math.round, a learned value"), [
    'earned (write "reward")',
    'is paid (write "reward is given")',
  ]);
});

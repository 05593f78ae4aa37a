/** The documentation lists the model families of `FAMILIES`, and a measured error for every golden. @module */
import { assertEquals } from "@std/assert";
import { FAMILIES } from "@/lib/model/models/families.ts";
import { GOLDEN_NAMES } from "@/tests/support/golden_families.ts";
import { projectText } from "./generated.ts";
import { codeOf, tablesOf } from "./markdown.ts";

Deno.test("README names every model family, and no other", () => {
  const rows = tablesOf(projectText("README.md")).flatMap(({ rows }) => rows);
  const [, supported] = rows.find(([first]) => first?.includes("docs/families.md"))!;
  assertEquals(codeOf(supported!), Object.keys(FAMILIES));
});

Deno.test("families.md has a row of largest errors for every golden", () => {
  const table = tablesOf(projectText("docs/families.md")).find(({ headings }) => headings[0] === "golden")!;
  assertEquals(table.rows.map(([name]) => name!).sort(), GOLDEN_NAMES);
});

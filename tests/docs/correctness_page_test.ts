import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);

Deno.test("docs/correctness.md has all 70 statements and names only tests that exist", () => {
  const text = Deno.readTextFileSync(new URL("docs/correctness.md", ROOT)).replaceAll("\\|", "|"); // bars in cells
  const rows = text.split("\n").filter((line) => /^\| \d+ \|/.test(line));
  assertEquals(rows.map((row) => Number(row.split("|")[1])), Array.from({ length: 70 }, (_, i) => i + 1));
  const missing: string[] = [];
  let named = 0;
  for (const [, file, names] of text.matchAll(/`([^`]+_test\.ts)`: ((?:“[^”]+”(?:; )?)+)/g)) {
    const source = Deno.readTextFileSync(new URL(file!, ROOT));
    for (const [, name] of names!.matchAll(/“([^”]+)”/g)) {
      named++;
      // a name that is put together in a loop is a template: its gaps match anything
      const found = [...source.matchAll(/Deno\.test\(\s*(["`])(.*?)\1,/gs)].some(([, , written]) =>
        new RegExp(`^${written!.split(/\$\{[^}]*\}/).map(RegExp.escape).join(".+")}$`).test(name!)
      );
      if (!found) missing.push(`${file}: ${name}`);
    }
  }
  assertEquals(missing, []);
  assertEquals(named, text.split("“").length - 2, "every quoted name follows its file"); // one quote is in the introduction
  assert(named > 50);
});

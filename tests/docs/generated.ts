/**
 * The generated parts of the documentation: docs/stages.md, the table of rooms in docs/architecture.md, and the table of
 * model families in docs/families.md.
 * @module
 */
import { join } from "node:path";
import { listStages, loadStage, projectRoot } from "@/lib/app/registry.ts";
import { familiesTable } from "./families_table.ts";
import { formatted } from "./markdown.ts";
import { roomsTable } from "./rooms_table.ts";
import { stagesPage } from "./stages_page.ts";

/** Text of a file, by its path from the root of the project. */
export function projectText(path: string): string {
  return Deno.readTextFileSync(join(projectRoot, path));
}

/** Returns the generated pages by path. @throws {TypeError} if a page has no marks for its table */
export async function generatedPages(): Promise<ReadonlyMap<string, string>> {
  const stages = await Promise.all((await stagesInOrder()).map(loadStage));
  return new Map([
    ["docs/stages.md", await formatted(stagesPage(stages))],
    ["docs/architecture.md", await withPart("docs/architecture.md", "rooms", roomsTable())],
    ["docs/families.md", await withPart("docs/families.md", "families", familiesTable())],
  ]);
}

/** Returns a page with `part` between its two marks. */
function withPart(page: string, name: string, part: string): Promise<string> {
  const marks = new RegExp(
    `(<!-- ${name}: made by deno task docs -->\\n)[\\s\\S]*?(<!-- end of ${name} -->)`,
  );
  const text = projectText(page);
  if (!marks.test(text)) throw new TypeError(`${page} must contain the two marks of the part "${name}"`);
  return formatted(text.replace(marks, (_, begin, end) => `${begin}\n${part}\n\n${end}`));
}

/** Stages as the quickstart comes to them; others after them. */
async function stagesInOrder(): Promise<string[]> {
  const used = [...projectText("pipelines/quickstart.yaml").matchAll(/uses: ([a-z-]+)/g)].map(([, id]) =>
    id!
  );
  const known = await listStages();
  return [...new Set([...used.filter((id) => known.includes(id)), ...known])];
}

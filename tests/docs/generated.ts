/**
/**
 * Generates parts of the documentation: docs/stages.md, docs/report.schema.json, the diagram of groups and the table of
 * folders in docs/architecture.md, and the table of model families in docs/families.md.
 * @module
 */
import { join } from "node:path";
import { z } from "zod";
import { projectRoot, stages as registry } from "@/lib/app/registry.ts";
import { ReportSchema } from "@/lib/report/report_schema.ts";
import { familiesTable } from "./families_table.ts";
import { groupsDiagram } from "./groups_diagram.ts";
import { formatted } from "./markdown.ts";
import { roomsTable } from "./rooms_table.ts";
import { stagesPage } from "./stages_page.ts";

/** Returns the text of the file at `path` from the root of the project. */
export function projectText(path: string): string {
  return Deno.readTextFileSync(join(projectRoot, path));
}

/** Returns the generated pages by path. @throws {TypeError} if a page has no marks for its table */
export async function generatedPages(): Promise<ReadonlyMap<string, string>> {
  const stages = await Promise.all((await stagesInOrder()).map(registry.load));
  return new Map([
    ["docs/stages.md", await formatted(stagesPage(stages))],
    ["docs/report.schema.json", reportSchema()],
    [
      "docs/architecture.md",
      await withParts("docs/architecture.md", { groups: groupsDiagram(), rooms: roomsTable() }),
    ],
    ["docs/families.md", await withParts("docs/families.md", { families: familiesTable() })],
  ]);
}

/** Returns a page with each of `parts` between its two marks. */
function withParts(page: string, parts: Readonly<Record<string, string>>): Promise<string> {
  let text = projectText(page);
  for (const [name, part] of Object.entries(parts)) {
    const marks = new RegExp(
      `(<!-- ${name}: made by deno task docs -->\\n)[\\s\\S]*?(<!-- end of ${name} -->)`,
    );
    if (!marks.test(text)) throw new TypeError(`${page} must contain the two marks of the part "${name}"`);
    text = text.replace(marks, (_, begin, end) => `${begin}\n${part}\n\n${end}`);
  }
  return formatted(text);
}

/** Returns the JSON Schema of report.json. */
function reportSchema(): string {
  const schema = z.toJSONSchema(ReportSchema, { target: "draft-2020-12" });
  return `${JSON.stringify({ title: "report.json, version 3", ...schema }, null, 2)}\n`;
}

/** Returns the stages in the order of the quickstart, then the others. */
async function stagesInOrder(): Promise<string[]> {
  const used = [...projectText("pipelines/quickstart.yaml").matchAll(/uses: ([a-z-]+)/g)].map(([, id]) =>
    id!
  );
  const known = await registry.list();
  return [...new Set([...used.filter((id) => known.includes(id)), ...known])];
}

/**
/**
 * Generates parts of the documentation: docs/stages.md, docs/report.schema.json, and the table of rooms in
 * docs/architecture.md.
 * @module
 */
import { join } from "node:path";
import { z } from "zod";
import { projectRoot, stages as registry } from "@/lib/app/registry.ts";
import { ReportSchema } from "@/lib/report/report_schema.ts";
import { formatted } from "./markdown.ts";
import { roomsTable } from "./rooms_table.ts";
import { stagesPage } from "./stages_page.ts";

const ROOMS_PAGE = "docs/architecture.md";
const ROOMS_PART = /(<!-- rooms: made by deno task docs -->\n)[\s\S]*?(<!-- end of rooms -->)/;

/** Returns the text of the file at `path` from the root of the project. */
export function projectText(path: string): string {
  return Deno.readTextFileSync(join(projectRoot, path));
}

/** Returns the expected text of generated pages, by path. @throws {TypeError} if architecture.md has no place for the table */
export async function generatedPages(): Promise<ReadonlyMap<string, string>> {
  const stages = await Promise.all((await stagesInOrder()).map(registry.load));
  const page = projectText(ROOMS_PAGE);
  if (!ROOMS_PART.test(page)) {
    throw new TypeError(
      `${ROOMS_PAGE} must have both marks of the generated table`,
    );
  }
  const rooms = roomsTable();
  return new Map([
    ["docs/stages.md", await formatted(stagesPage(stages))],
    ["docs/report.schema.json", reportSchema()],
    [
      ROOMS_PAGE,
      await formatted(page.replace(ROOMS_PART, (_, begin, end) => `${begin}\n${rooms}\n\n${end}`)),
    ],
  ]);
}

/** Returns the JSON Schema of report.json. */
function reportSchema(): string {
  const schema = z.toJSONSchema(ReportSchema, { target: "draft-2020-12" });
  return `${JSON.stringify({ title: "report.json, version 2", ...schema }, null, 2)}\n`;
}

/** Returns the stages in the order of the quickstart, then the others. */
async function stagesInOrder(): Promise<string[]> {
  const used = [...projectText("pipelines/quickstart.yaml").matchAll(/uses: ([a-z-]+)/g)].map(([, id]) =>
    id!
  );
  const known = await registry.list();
  return [...new Set([...used.filter((id) => known.includes(id)), ...known])];
}

/**
 * The generated parts of the documentation: docs/stages.md, docs/report.schema.json, and the table of rooms in
 * docs/architecture.md.
 * @module
 */
import { join } from "node:path";
import { z } from "zod";
import { listStages, loadStage, projectRoot } from "@/lib/app/registry.ts";
import { ReportSchema } from "@/lib/report/report_schema.ts";
import { formatted } from "./markdown.ts";
import { roomsTable } from "./rooms_table.ts";
import { stagesPage } from "./stages_page.ts";

const ROOMS_PAGE = "docs/architecture.md";
const ROOMS_PART = /(<!-- rooms: made by deno task docs -->\n)[\s\S]*?(<!-- end of rooms -->)/;

/** Text of a file, by its path from the root of the project. */
export function projectText(path: string): string {
  return Deno.readTextFileSync(join(projectRoot, path));
}

/** Pages by path, as they must be. @throws {TypeError} if architecture.md has no place for the table */
export async function generatedPages(): Promise<ReadonlyMap<string, string>> {
  const stages = await Promise.all((await stagesInOrder()).map(loadStage));
  const page = projectText(ROOMS_PAGE);
  if (!ROOMS_PART.test(page)) {
    throw new TypeError(
      `Cannot write the table of rooms as ${ROOMS_PAGE} must hold its two marks: one is missing`,
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

/** JSON Schema of report.json. */
function reportSchema(): string {
  const schema = z.toJSONSchema(ReportSchema, { target: "draft-2020-12" });
  return `${JSON.stringify({ title: "report.json, version 2", ...schema }, null, 2)}\n`;
}

/** Stages as the quickstart comes to them; others after them. */
async function stagesInOrder(): Promise<string[]> {
  const used = [...projectText("pipelines/quickstart.yaml").matchAll(/uses: ([a-z-]+)/g)].map(([, id]) =>
    id!
  );
  const known = await listStages();
  return [...new Set([...used.filter((id) => known.includes(id)), ...known])];
}

/** Writes the files of an experiment: two Arrow tables, results.json, report.html. No file is ever half written. @module */
import { join } from "node:path";
import { writeCurves } from "@/lib/data/contracts/curves.ts";
import { readJsonDocument } from "@/lib/data/contracts/json_document.ts";
import { writeResults } from "@/lib/data/contracts/results.ts";
import { publishFile } from "@/lib/data/files/publish.ts";
import { type Report, ReportSchema } from "@/lib/report/report_schema.ts";
import type { Tables } from "./collect.ts";
import { experimentPage } from "./experiment_page.ts";
import { type ExperimentReport, ExperimentReportSchema } from "./experiment_report.ts";

/** Writes the files into `outDir`. @throws {TryAgainError} if the disk is full */
export async function writeExperiment(
  outDir: string,
  tables: Tables,
  report: ExperimentReport,
): Promise<void> {
  const checked = ExperimentReportSchema.parse(report);
  const page = await experimentPage(checked, tables.curves);
  await writeResults(join(outDir, "results.arrow"), tables.results);
  await writeCurves(join(outDir, "curves.arrow"), tables.curves);
  const write = (name: string, text: string) =>
    publishFile(join(outDir, name), (temporary) => Deno.writeTextFile(temporary, text));
  await write("results.json", `${JSON.stringify(checked, null, 2)}\n`);
  await write("report.html", page);
}

/** Returns the report of a run. @throws {DataError} if there is none or it has another version */
export function readRunReport(runDir: string): Report {
  return readJsonDocument(join(runDir, "report.json"), ReportSchema, "report.json, version 3");
}

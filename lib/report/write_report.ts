/** Writes report.json and report.html of a finished run, and the summary on the terminal. @module */
import type { RunEvent, RunResult } from "@/lib/data/contracts/events.ts";
import { publishFile } from "@/lib/data/files/publish.ts";
import { buildReport } from "./build_report.ts";
import { readRunTables } from "./read_run_tables.ts";
import { reportPage } from "./report_page.ts";
import { type Environment, type Report, ReportSchema } from "./report_schema.ts";
import { summaryOf } from "./summary.ts";
import project from "@/deno.json" with { type: "json" };

/** Returns what is known about this process without any permission. */
function thisEnvironment(): Environment {
  const pinned = /@([\d.]+)$/.exec(project.imports["onnxruntime-node"]);
  return {
    cores: navigator.hardwareConcurrency,
    threads: null,
    executor: null,
    os: Deno.build.os,
    arch: Deno.build.arch,
    instruction_set: null,
    onnxruntime: pinned?.[1] ?? null,
    deno: Deno.version.deno,
  };
}

function reportOf(result: RunResult, events: readonly RunEvent[]): Report {
  const options = { events, environment: thisEnvironment() };
  return ReportSchema.parse(buildReport(result, readRunTables(result), options));
}

/**
 * Writes report.json and report.html into the run directory.
 *
 * @param events of the run, for speeds, threads and warnings; may be empty
 * @throws {DataError} if a file of the run breaks its contract
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the run directory cannot be written
 */
export async function writeReport(result: RunResult, events: readonly RunEvent[]): Promise<void> {
  const report = reportOf(result, events);
  const write = (name: string, text: string) =>
    publishFile(`${result.runDir}/${name}`, (temporary) => Deno.writeTextFile(temporary, text));
  await write("report.json", `${JSON.stringify(report, null, 2)}\n`);
  await write("report.html", await reportPage(report));
}

/**
 * Returns the text at the end of a run: result, table, three prompts with each model's response, times, files.
 * @throws {DataError} if a file of the run breaks its contract
 */
export function summary(result: RunResult): string {
  return summaryOf(reportOf(result, []), result.runDir);
}

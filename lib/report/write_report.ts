/** From a finished run to report.json, report.html and the summary on the screen. @module */
import type { RunEvent, RunResult } from "@/lib/contracts/events.ts";
import { buildReport } from "./build_report.ts";
import { readRunTables } from "./read_run_tables.ts";
import { type Environment, type Report, ReportSchema } from "./report_schema.ts";
import { reportPage } from "./report_page.ts";
import { summaryOf, type SummaryOptions } from "./summary.ts";
import { TryAgainError, UsageError } from "@/lib/tensor/errors.ts";
import project from "@/deno.json" with { type: "json" };

/** What can be said about this process without any permission. */
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

/** Writes next to `path` and renames, so that a reader never meets half a file. */
async function publishText(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    await Deno.writeTextFile(temporary, text);
    await Deno.rename(temporary, path);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    if ((error as { code?: unknown }).code === "ENOSPC") {
      throw new TryAgainError(`Cannot write ${path} as the disk must have room: ${cause}`, { cause: error });
    }
    throw new UsageError(`Cannot write ${path} as the run directory must be writable: ${cause}`, {
      cause: error,
    });
  }
}

function reportOf(result: RunResult, events: readonly RunEvent[], environment: Partial<Environment>): Report {
  const options = { events, environment: { ...thisEnvironment(), ...environment } };
  return ReportSchema.parse(buildReport(result, readRunTables(result), options));
}

/**
 * Writes report.json and report.html into the run directory.
 *
 * @param events what the run told, for speeds and threads; may be empty
 * @param environment what only the caller knows (instruction set, ONNX Runtime's version, threads); the rest is
 * looked up
 * @throws {DataError} if a file of the run breaks its contract
 */
export async function writeReport(
  result: RunResult,
  events: readonly RunEvent[],
  environment: Partial<Environment> = {},
): Promise<void> {
  const report = reportOf(result, events, environment);
  await publishText(`${result.runDir}/report.json`, `${JSON.stringify(report, null, 2)}\n`);
  await publishText(`${result.runDir}/report.html`, await reportPage(report));
}

/**
 * The text that ends a run: result, table, three prompts with each model's answer, times, files.
 * @throws {DataError} if a file of the run breaks its contract
 */
export function summary(result: RunResult, options: SummaryOptions = {}): string {
  return summaryOf(reportOf(result, [], {}), result.runDir, options);
}

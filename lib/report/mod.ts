/** What people see of a run: the live display, the summary at its end, report.json and report.html. @module */
export { createDisplay, type Display, type DisplayOptions } from "./display.ts";
export { type Environment, type Report, reportJsonSchema, ReportSchema } from "./report_schema.ts";
export type { SummaryOptions } from "./summary.ts";
export { summary, writeReport } from "./write_report.ts";

/**
 * Program: writes docs/report.schema.json from the schema of the report.
 * Run with `deno run --allow-write=docs lib/report/publish_schema.ts`; a test fails while the file is not current.
 * @module
 */
import { reportJsonSchema } from "./report_schema.ts";

/** Where the published schema lies. */
export const SCHEMA_FILE = new URL("../../docs/report.schema.json", import.meta.url);

if (import.meta.main) Deno.writeTextFileSync(SCHEMA_FILE, reportJsonSchema());

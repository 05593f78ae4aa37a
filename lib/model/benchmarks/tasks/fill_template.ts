/** Fills in the templates of tasks. @module */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { BenchmarkDocument } from "./task.ts";

/**
 * Returns the template with `{{field}}` replaced by the document's values, once: braces in values stay.
 * @throws {DataError} if the document lacks a field
 */
export function fillTemplate(template: string, doc: BenchmarkDocument): string {
  return template.replace(/\{\{(\w+)\}\}/g, (_, field: string) => {
    const value = Object.hasOwn(doc, field) ? doc[field] : undefined;
    if (typeof value === "string") return value;
    if (typeof value === "number") return String(value);
    throw new DataError(
      `Field "${field}" of a document must be a text, got ${JSON.stringify(value) ?? "nothing"}`,
      {
        column: field,
      },
    );
  });
}

/** Reads JSON files with a zod schema. @module */
import type { z } from "zod";
import { readJson } from "@/lib/data/files/json.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";

/**
 * Returns the value of a JSON file, checked by `schema`.
 * @param kind what the file must be, for messages: "a reward, version 1"
 * @throws {DataError} if it cannot be read or is invalid; lists all issues with their places
 */
export function readJsonDocument<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
  kind: string,
): z.output<Schema> {
  const result = schema.safeParse(readJson(path));
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => `/${issue.path.join("/")} ${issue.message}`);
  throw new DataError(`${path} must be ${kind}: ${issues.join("; ")}`, { file: path });
}

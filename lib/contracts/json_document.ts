/** JSON files with a zod schema: read whole or refused with every issue named. @module */
import type { z } from "zod";
import { readJson } from "@/lib/files/json.ts";
import { DataError } from "@/lib/tensor/errors.ts";

/**
 * The value of a JSON file that fits `schema`.
 * @param kind what the file must be, for messages: "a reward, version 1"
 * @throws {DataError} if it cannot be read or does not fit; lists every issue with its place
 */
export function readJsonDocument<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
  kind: string,
): z.output<Schema> {
  const result = schema.safeParse(readJson(path));
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => `/${issue.path.join("/")} ${issue.message}`);
  throw new DataError(`Cannot read ${path} as it must be ${kind}: ${issues.join("; ")}`, { file: path });
}

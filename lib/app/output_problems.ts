/**
 * Locations of outputs at which a run could not write all of them: they exist, contain each other, or are below a file or an
 * input.
 * @module
 */
import { exists } from "@/lib/data/files/paths.ts";
import { dirname, relative } from "node:path";
import type { InputPaths } from "@/lib/data/contracts/stage.ts";
import { type DataRoot, realPath } from "./data_root.ts";
import { undoHalfPublished } from "./publish_outputs.ts";

/** Returns what is wrong with the locations of `outputs`, which are below the data root. */
export function outputProblems(
  outputs: Readonly<Record<string, string>>,
  inputs: InputPaths,
  root: DataRoot,
): string[] {
  const name = (path: string) => `"${relative(root.path, path)}"`;
  const folders = Object.entries(inputs).flatMap(([port, value]) =>
    (typeof value === "string" ? [value] : Object.values(value ?? {})).flatMap((path) => {
      const real = realPath(path);
      return real !== undefined && isFolder(real) ? [{ port, path, real }] : [];
    })
  );
  const all = Object.entries(outputs).map(([port, path]) => ({ port, path, real: realPath(path) ?? path }));
  const problems = all.flatMap(({ port, path, real }) => {
    if (isTaken(path)) return [`outputs.${port}: ${name(path)} already exists`];
    const parent = nearest(real);
    if (!isFolder(parent)) return [`outputs.${port}: ${name(path)} is below the file ${name(parent)}`];
    const input = folders.find((each) => isBelow(real, each.real));
    if (input) return [`outputs.${port}: ${name(path)} is below inputs.${input.port} ${name(input.path)}`];
    const outer = all.find((each) => isBelow(real, each.real));
    return outer ? [`outputs.${port}: ${name(path)} is below outputs.${outer.port} ${name(outer.path)}`] : [];
  });
  if (new Set(all.map(({ real }) => real)).size < all.length) {
    problems.push("outputs: every port must have its own location");
  }
  return problems;
}

/** Returns whether something is at `path`, other than what a killed run left. */
function isTaken(path: string): boolean {
  if (!exists(path)) return false;
  undoHalfPublished(path);
  return exists(path);
}

/** Returns the nearest folder or file above `path` that exists. */
function nearest(path: string): string {
  const parent = dirname(path);
  return exists(parent) ? parent : nearest(parent);
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}

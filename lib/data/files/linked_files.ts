/**
 * Symbolic links in directories that a command reads. A model directory from elsewhere could contain links to any file of
 * this machine, which its stages would read. A cache of the Hugging Face hub consists of links, all within one folder.
 * @module
 */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { reading } from "./file_errors.ts";

/**
 * Checks the links in the directory `path`; `path` itself may be a link, as the user has named it. A link may lead to a regular
 * file in the same directory, or in the folder `models--*` of a Hugging Face cache that contains the directory.
 * @throws {DataError} listing every other link with its target
 */
export function refuseOutsideLinks(path: string): void {
  const bad: string[] = [];
  reading(path, () => {
    if (!Deno.statSync(path).isDirectory) return;
    const home = Deno.realPathSync(path), cache = /^.*?\/models--[^/]+(?=\/|$)/.exec(home)?.[0] ?? home;
    visit(home, (link) => {
      const target = targetOf(link), inside = target?.startsWith(`${cache}/`) ?? false;
      if (!inside || !Deno.statSync(target!).isFile) bad.push(`${link} leads to ${target ?? "nothing"}`);
    });
  });
  if (bad.length === 0) return;
  const required = `${path}: links must lead to files in the same directory or Hugging Face cache`;
  throw new DataError(`${required} (or use --follow-links), got ${listed(bad)}`, { file: path });
}

/** Returns the files that links in the directory `path` lead to: reading a link requires permission for its target. */
export function linkTargets(path: string): string[] {
  const targets: string[] = [];
  reading(path, () => {
    if (!Deno.statSync(path).isDirectory) return;
    visit(Deno.realPathSync(path), (link) => {
      const target = targetOf(link);
      if (target !== undefined) targets.push(target);
    });
  });
  return targets;
}

/** Calls `found` with every link below `folder`; names that begin with a dot are never read. */
function visit(folder: string, found: (link: string) => void): void {
  for (const { name, isDirectory, isSymlink } of Deno.readDirSync(folder)) {
    if (name.startsWith(".")) continue;
    if (isSymlink) found(`${folder}/${name}`);
    else if (isDirectory) visit(`${folder}/${name}`, found);
  }
}

/** Returns where a link leads in the end; undefined if nothing exists there. */
function targetOf(link: string): string | undefined {
  try {
    return Deno.realPathSync(link);
  } catch {
    return undefined;
  }
}

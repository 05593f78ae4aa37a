/**
 * Moves the outputs of a run to their locations, all or none: nothing that exists is replaced, and after a failure or a kill
 * no part of the set stays. A note beside every unfinished output lists the whole set until all of it is in place.
 * @module
 */
import { exists } from "@/lib/data/files/paths.ts";
import { basename, dirname, join } from "node:path";
import { removeIfThere } from "@/lib/data/files/remove_if_there.ts";

/** One output: where the stage wrote it, and where it must be. */
export interface OutputMove {
  /** within `partialFolder()` of `to` */
  readonly from: string;
  readonly to: string;
}

const NOTE = "publishing.json";

/** Returns the hidden folder beside an output in which a request writes it. @param id eight hexadecimal digits of the request */
export function partialFolder(to: string, id: string): string {
  return join(dirname(to), `.${basename(to)}.${id}.partial`);
}

/**
 * Moves all outputs to their locations.
 * @returns undefined, or the locations that are in use already: then nothing has been moved
 */
export function publishOutputs(moves: readonly OutputMove[]): string[] | undefined {
  const notes = moves.map(({ from }) => join(dirname(dirname(from)), NOTE));
  for (const note of notes) Deno.writeTextFileSync(note, JSON.stringify(moves));
  const done: OutputMove[] = [];
  try {
    const taken = moves.map(({ to }) => to).filter(exists);
    if (taken.length > 0) return taken;
    for (const each of moves) {
      if (!moveNew(each)) {
        done.forEach(undo);
        return [each.to];
      }
      done.push(each);
    }
  } catch (error) {
    done.forEach(undo);
    throw error;
  } finally {
    notes.forEach(removeIfThere);
  }
}

/** Removes the set of outputs of which `to` is a part, if the run that moved it was killed before all were in place. */
export function undoHalfPublished(to: string): void {
  const start = `.${basename(to)}.`;
  for (const { name } of Deno.readDirSync(dirname(to))) {
    if (!name.startsWith(start) || !/^[0-9a-f]{8}\.partial$/.test(name.slice(start.length))) continue;
    const note = join(dirname(to), name, NOTE);
    if (!exists(note)) continue;
    const moves: OutputMove[] = JSON.parse(Deno.readTextFileSync(note));
    moves.forEach(undo);
    for (const { from } of moves) removeIfThere(dirname(dirname(from)));
  }
}

/** Moves one output, unless something exists at its location; returns whether it did. */
function moveNew({ from, to }: OutputMove): boolean {
  const { isDirectory } = Deno.lstatSync(from);
  try {
    if (isDirectory) {
      Deno.mkdirSync(to); // fails if anything is there, which a rename would replace
      if (Deno.build.os === "windows") Deno.removeSync(to);
    } else {
      Deno.linkSync(from, to);
      return true;
    }
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists || exists(to)) return false;
    // File systems without hard links, such as those of object stores.
    if (isDirectory) throw error;
  }
  Deno.renameSync(from, to);
  return true;
}

/** Takes an output back from its location, if it is there. */
function undo({ from, to }: OutputMove): void {
  if (!exists(to)) return;
  if (!exists(from)) return Deno.renameSync(to, from);
  const [ours, there] = [from, to].map((path) => Deno.lstatSync(path)) as [Deno.FileInfo, Deno.FileInfo];
  const isLink = ours.isFile && ours.ino === there.ino && ours.dev === there.dev;
  const isEmpty = ours.isDirectory && there.isDirectory && [...Deno.readDirSync(to)].length === 0;
  if (isLink || isEmpty) Deno.removeSync(to);
}

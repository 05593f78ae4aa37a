/** Copies of a run's outputs: real files in its run directory, which nothing of the store can change. @module */
import { dirname, join } from "node:path";
import { writeError } from "@/lib/files/file_errors.ts";
import { fileSet } from "@/lib/files/file_pattern.ts";
import { removeIfThere } from "@/lib/files/remove_if_there.ts";
import type { InputDigests } from "./input_digests.ts";
import { type Maker, recordsOf } from "./maker.ts";
import type { Pruner } from "./prune.ts";
import type { Store } from "./store.ts";
import type { Tree } from "./tree.ts";
import type { OutputValues, Value } from "./walk.ts";

/** What copying needs of a run. */
export interface OutputSource {
  readonly store: Store;
  readonly maker: Pick<Maker, "ensure">;
  readonly pruner: Pick<Pruner, "sparing">;
  readonly digests: Pick<InputDigests, "tree">;
}

/** Copies `values` into `folder`, each under its name; what is there already is left alone. Gives their paths. */
export async function copyOutputs(
  values: OutputValues,
  folder: string,
  { store, maker, pruner, digests }: OutputSource,
): Promise<Record<string, string>> {
  const digestAt = (path: string): string | undefined => {
    try {
      return digests.tree(path).digest;
    } catch {
      return undefined;
    }
  };
  const copy = async (name: string, value: Value): Promise<string> => {
    await maker.ensure(value);
    const isInput = value.from === "input";
    const from = isInput ? value.path : await store.view(value.record, value.port);
    const tree = isInput ? value.tree : value.record.outputs[value.port]!;
    const extension = tree.kind === "directory" ? "" : /\.\w+$/.exec(from)?.[0] ?? "";
    const to = join(folder, `${name}${extension}`);
    if (digestAt(to) !== tree.digest) copyTree(from, to, tree);
    return to;
  };

  const paths: Record<string, string> = {};
  Deno.mkdirSync(folder, { recursive: true });
  removeHalfMade(folder);
  for (const [name, value] of Object.entries(values)) {
    if (value) await pruner.sparing(recordsOf(value), async () => paths[name] = await copy(name, value));
  }
  return paths;
}

const HALF_MADE = /\.[0-9a-f]{8}\.partial$/;

/** Removes the copies in `folder` that a killed run left half-made. */
function removeHalfMade(folder: string): void {
  for (const { name } of Deno.readDirSync(folder)) {
    if (HALF_MADE.test(name)) Deno.removeSync(join(folder, name), { recursive: true });
  }
}

/** Puts a copy of `tree`, whose files lie at `from`, at `to`, whole or not at all. */
function copyTree(from: string, to: string, tree: Tree): void {
  const folder = fileSet(from)?.folder ?? from;
  const temporary = `${to}.${crypto.randomUUID().slice(0, 8)}.partial`;
  try {
    for (const name of Object.keys(tree.files)) {
      const target = name === "" ? temporary : join(temporary, name);
      Deno.mkdirSync(dirname(target), { recursive: true });
      Deno.copyFileSync(name === "" ? from : join(folder, name), target);
      Deno.chmodSync(target, 0o644);
    }
    removeIfThere(to);
    Deno.renameSync(temporary, to);
  } catch (cause) {
    // On a full disk, half a copy would only take the room that the next attempt needs.
    removeIfThere(temporary);
    throw writeError(to, cause);
  }
}

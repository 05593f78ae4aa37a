/** Copies outputs of a run to its run directory: real files, independent of the store. @module */
import { dirname, join } from "node:path";
import { writeError } from "@/lib/data/files/file_errors.ts";
import { fileSet } from "@/lib/data/files/file_pattern.ts";
import { removeIfThere } from "@/lib/data/files/remove_if_there.ts";
import { removePartial } from "./clean_store.ts";
import type { InputDigests } from "./input_digests.ts";
import type { Maker } from "./maker.ts";
import type { Pruner } from "./prune.ts";
import type { Store } from "./store.ts";
import type { Tree } from "./tree.ts";
import { type NodeValue, type OutputValues, recordsOf, treeOf } from "./walk.ts";

/** What copying needs from a run. */
export interface OutputSource {
  readonly store: Store;
  readonly maker: Pick<Maker, "ensure">;
  readonly pruner: Pick<Pruner, "sparing">;
  readonly digests: Pick<InputDigests, "tree">;
}

/** Copies `values` into `folder`, each under its name, and returns their paths. Equal files that exist are left alone. */
export async function copyOutputs(
  values: OutputValues,
  folder: string,
  source: OutputSource,
): Promise<Record<string, string>> {
  const paths: Record<string, string> = {};
  Deno.mkdirSync(folder, { recursive: true });
  removePartial(folder);
  for (const [name, value] of Object.entries(values)) {
    if (!value) continue;
    await source.pruner.sparing(recordsOf(value), async () => {
      paths[name] = await copyValue(value, join(folder, name), source);
    });
  }
  return paths;
}

/** Copies `value` to `to`, with the extension of its file, and returns the path. */
async function copyValue(
  value: NodeValue,
  to: string,
  { store, maker, digests }: OutputSource,
): Promise<string> {
  const tree = treeOf(value);
  const name = value.from === "input" ? value.path : value.record.names[value.port]!;
  const path = tree.kind === "directory" ? to : to + (/\.\w+$/.exec(name)?.[0] ?? "");
  let known: string | undefined;
  try {
    known = digests.tree(path).digest;
  } catch {
    // Not there yet, or unreadable: it is copied.
  }
  const isCopied = known === tree.digest;
  if (isCopied && (value.from === "input" || store.holds(tree))) return path;
  await maker.ensure(value);
  const from = value.from === "input" ? value.path : await store.view(value.record, value.port);
  if (!isCopied) copyTree(from, path, tree);
  return path;
}

/** Copies `tree`, whose files are at `from`, to `to`, completely or not at all. */
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
    // On a full disk, a partial copy would take the space that the next attempt needs.
    removeIfThere(temporary);
    throw writeError(to, cause);
  }
}

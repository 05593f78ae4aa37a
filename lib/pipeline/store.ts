/**
 * The store: blobs by digest and one record per action. Several runs may share one at the same time, and a process may
 * die at any moment: a blob or record is there whole or not at all, and a record is written after its blobs.
 *
 *     blobs/ab/abcd…          content, read-only
 *     actions/<key>.json      what an action wrote
 *     views/<key>/<port>      its outputs under readable names: hard links to blobs
 *     tmp/<key>/scratch       the stage's own checkpoints; tmp/<key>.lock: who works on it
 * @module
 */
import { dirname, join } from "node:path";
import { digestFile, digestParts } from "@/lib/files/digest.ts";
import { writeError } from "@/lib/files/file_errors.ts";
import type { FileContent } from "@/lib/files/hand_over.ts";
import { linkOrCopy, publishDirectory, publishFile } from "@/lib/files/publish.ts";
import { removeIfThere } from "@/lib/files/remove_if_there.ts";
import { writeWholeFile } from "@/lib/files/whole_file.ts";
import { type ActionRecord, parseRecord } from "./action_record.ts";
import type { MemoryFiles } from "./memory_files.ts";
import { readTree, type Tree, within } from "./tree.ts";

/** An open store. All paths are absolute. */
export interface Store {
  readonly dir: string;
  /** the record of `key`, if there is a whole one */
  readonly get: (key: string) => ActionRecord | undefined;
  /** true if every blob of `tree` is there in its full size */
  readonly holds: (tree: Tree) => boolean;
  /** true if every file of `tree` is there or in this run's memory */
  readonly reaches: (tree: Tree) => boolean;
  /** path of an output's view; made of its blobs if it is not there. Files in memory alone are not in it, but bound to it */
  readonly view: (record: ActionRecord, port: string) => Promise<string>;
  /** a new empty directory for the outputs of one attempt */
  readonly attempt: (key: string) => string;
  readonly scratch: (key: string) => string;
  readonly lockFile: (key: string) => string;
  /**
   * Moves the outputs of an attempt into the store, and its record after them; what was tried before is removed.
   * @param given content of files of the attempt by their paths; those that were not written stay in memory
   */
  readonly commit: (
    attempt: string,
    record: Omit<ActionRecord, "outputs" | "unpublished">,
    given?: ReadonlyMap<string, FileContent>,
  ) => Promise<ActionRecord>;
  /** writes what `ports` of `record` have in memory alone; the record as it is then */
  readonly publish: (record: ActionRecord, ports: readonly string[]) => ActionRecord;
  /** lets go of what `ports` of `record` have in memory, but for files in `kept` (digests) */
  readonly forget: (record: ActionRecord, ports: readonly string[], kept: ReadonlySet<string>) => void;
  /** digests every blob and removes those that are not what their names say, with all views of them; their digests */
  readonly verify: () => string[];
  /** removes the views of `record`'s `ports` and their blobs, but for those in `kept` (digests) */
  readonly prune: (record: ActionRecord, ports: readonly string[], kept: ReadonlySet<string>) => void;
  /** records of all actions */
  readonly records: () => ActionRecord[];
}

/**
 * Opens the store at `dir`; makes it if it is not there.
 * @param memory files of a run that its stages hand over
 * @throws {UsageError} if it cannot be written
 */
export function openStore(dir: string, memory?: MemoryFiles): Store {
  try {
    for (const folder of ["blobs", "actions", "views", "tmp"]) {
      Deno.mkdirSync(join(dir, folder), { recursive: true });
    }
  } catch (cause) {
    throw writeError(dir, cause);
  }
  const blob = (digest: string) => join(dir, "blobs", digest.slice(0, 2), digest);
  const actionFile = (key: string) => join(dir, "actions", `${key}.json`);

  const viewPath = (record: ActionRecord, port: string) =>
    join(dir, "views", record.key, record.names[port]!);

  function holds(tree: Tree): boolean {
    return Object.values(tree.files).every(({ digest, size }) => sizeOf(blob(digest)) === size);
  }

  function reaches(tree: Tree): boolean {
    return Object.values(tree.files).every(({ digest, size }) =>
      memory?.get(digest) !== undefined || sizeOf(blob(digest)) === size
    );
  }

  function get(key: string): ActionRecord | undefined {
    try {
      return parseRecord(Deno.readTextFileSync(actionFile(key)));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  async function view(record: ActionRecord, port: string): Promise<string> {
    const tree = record.outputs[port]!;
    const path = viewPath(record, port);
    for (const [name, { digest }] of Object.entries(tree.files)) memory?.bind(within(path, name), digest);
    const files = Object.entries(tree.files).filter(([, { digest, size }]) =>
      memory?.get(digest) === undefined || sizeOf(blob(digest)) === size
    );
    if (
      sizeOf(path) !== undefined && files.every(([name, { size }]) => sizeOf(within(path, name)) === size)
    ) {
      return path;
    }
    if (tree.kind === "file") {
      await publishFile(path, (temporary) => linkOrCopy(blob(tree.digest), temporary));
    } else {
      await publishDirectory(path, (temporary) => {
        for (const [name, { digest }] of files) {
          Deno.mkdirSync(dirname(join(temporary, name)), { recursive: true });
          linkOrCopy(blob(digest), join(temporary, name));
        }
      });
    }
    return path;
  }

  function attempt(key: string): string {
    const path = join(dir, "tmp", key, `try-${crypto.randomUUID().slice(0, 8)}`);
    Deno.mkdirSync(path, { recursive: true });
    return path;
  }

  async function commit(
    path: string,
    record: Omit<ActionRecord, "outputs" | "unpublished">,
    given: ReadonlyMap<string, FileContent> = new Map(),
  ): Promise<ActionRecord> {
    const outputs: Record<string, Tree> = {};
    const unpublished = new Set<string>();
    for (const [port, file] of Object.entries(record.names)) {
      const from = join(path, file);
      if (sizeOf(from) === undefined) continue;
      const contents = new Map(
        [...given].flatMap(([at, content]) =>
          at.startsWith(`${from}/`) ? [[at.slice(from.length + 1), content]] : []
        ),
      );
      const known = Object.fromEntries(
        [...contents].map(([name, { parts }]) => [name, digestParts(parts)] as const),
      );
      const tree = readTree(from, known);
      for (const [name, { digest, size }] of Object.entries(tree.files)) {
        if (sizeOf(within(from, name)) !== undefined) storeBlob(within(from, name), blob(digest), size);
        const isStored = sizeOf(blob(digest)) === size;
        if (!isStored) unpublished.add(port);
        if (contents.has(name)) memory?.add(digest, contents.get(name)!, !isStored);
      }
      outputs[port] = tree;
    }
    const whole = withUnpublished({ ...record, outputs }, unpublished);
    for (const port of Object.keys(outputs)) await view(whole, port);
    await publishFile(actionFile(record.key), (temporary) => Deno.writeTextFile(temporary, textOf(whole)));
    removeIfThere(join(dir, "tmp", record.key));
    return whole;
  }

  function publish(record: ActionRecord, ports: readonly string[]): ActionRecord {
    const left = new Set(record.unpublished);
    for (const port of ports.filter((port) => left.has(port))) {
      for (const { digest, size } of Object.values(record.outputs[port]!.files)) {
        const content = memory?.get(digest);
        if (!content || sizeOf(blob(digest)) === size) continue;
        const own = join(attempt(record.key), digest);
        writeWholeFile(own, content.parts);
        storeBlob(own, blob(digest), size);
        memory?.stored(digest);
      }
      if (holds(record.outputs[port]!)) left.delete(port);
    }
    removeIfThere(join(dir, "tmp", record.key));
    if (left.size === (record.unpublished?.length ?? 0)) return record;
    const whole = withUnpublished(record, left);
    const own = `${actionFile(record.key)}.${crypto.randomUUID().slice(0, 8)}.partial`;
    Deno.writeTextFileSync(own, textOf(whole));
    flush(own);
    Deno.renameSync(own, actionFile(record.key));
    flush(join(dir, "actions"));
    return whole;
  }

  function forget(record: ActionRecord, ports: readonly string[], kept: ReadonlySet<string>): void {
    const files = ports.flatMap((port) => Object.values(record.outputs[port]?.files ?? {}));
    for (const { digest } of files) if (!kept.has(digest)) memory?.drop(digest);
  }

  function verify(): string[] {
    const all = records();
    const files = all.flatMap((record) =>
      Object.values(record.outputs).flatMap((tree) => Object.values(tree.files))
    );
    const digests = new Set(files.map((file) => file.digest));
    const bad = new Set(
      [...digests].filter((d) => sizeOf(blob(d)) !== undefined && digestFile(blob(d)) !== d),
    );
    for (const digest of bad) removeIfThere(blob(digest));
    for (const record of all) {
      for (const [port, tree] of Object.entries(record.outputs)) {
        if (Object.values(tree.files).some((file) => bad.has(file.digest))) {
          removeIfThere(viewPath(record, port));
        }
      }
    }
    return [...bad].sort();
  }

  function prune(record: ActionRecord, ports: readonly string[], kept: ReadonlySet<string>): void {
    forget(record, ports, kept);
    for (const port of ports) {
      if (record.names[port] !== undefined) removeIfThere(viewPath(record, port));
      for (const { digest } of Object.values(record.outputs[port]?.files ?? {})) {
        if (!kept.has(digest)) removeIfThere(blob(digest));
      }
    }
  }

  function records(): ActionRecord[] {
    const keys = [...Deno.readDirSync(join(dir, "actions"))].map((e) => e.name).filter((name) =>
      /^[^.].*\.json$/.test(name)
    );
    return keys.sort().flatMap((name) => get(name.slice(0, -5)) ?? []);
  }

  return {
    dir,
    get,
    holds,
    reaches,
    view,
    attempt,
    scratch: (key) => join(dir, "tmp", key, "scratch"),
    lockFile: (key) => join(dir, "tmp", `${key}.lock`),
    commit,
    publish,
    forget,
    verify,
    prune,
    records,
  };
}

/** `record` with these ports unpublished. */
function withUnpublished(
  { unpublished: _, ...record }: ActionRecord,
  ports: ReadonlySet<string>,
): ActionRecord {
  return ports.size === 0 ? record : { ...record, unpublished: [...ports].sort() };
}

function textOf(record: ActionRecord): string {
  return `${JSON.stringify(record, null, 1)}\n`;
}

/** Gives a finished file its name among the blobs, unless a whole one is there. Read-only, as hard links share it. */
function storeBlob(from: string, to: string, size: number): void {
  if (sizeOf(to) === size) return;
  Deno.mkdirSync(dirname(to), { recursive: true });
  // A stage may have linked a file of the user's into its output: that file must stay writable and ours unchanged.
  const own = (Deno.statSync(from).nlink ?? 1) > 1
    ? `${from}.${crypto.randomUUID().slice(0, 8)}.partial`
    : from;
  if (own !== from) Deno.copyFileSync(from, own);
  flush(own);
  Deno.chmodSync(own, 0o444);
  // A rename replaces a damaged blob in one step; where two runs do this at once, both bring the same bytes.
  Deno.renameSync(own, to);
  flush(dirname(to));
}

function flush(path: string): void {
  using file = Deno.openSync(path, { read: true });
  file.syncSync();
}

/** Bytes of the file at `path`, 0 or more for a directory, undefined where nothing is. */
function sizeOf(path: string): number | undefined {
  try {
    return Deno.lstatSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}

/**
 * The store: blobs by digest and one record per action. Several runs may share one at the same time, and a process may
 * die at any moment: a blob or record is there whole or not at all, and a record is written after its blobs.
 *
 *     blobs/ab/abcd…          content, read-only
 *     actions/<key>.json      the record of an action
 *     views/<key>/<port>      its outputs under readable names: hard links to blobs
 *     tmp/<key>/scratch       the stage's own checkpoints; tmp/<key>.lock: held by the run that works on the action
 * @module
 */
import { isMissing } from "@/lib/data/files/paths.ts";
import { dirname, join } from "node:path";
import { digestParts, type FileDigest } from "@/lib/data/files/digest.ts";
import { writeError } from "@/lib/data/files/file_errors.ts";
import type { FileContent } from "@/lib/data/files/hand_over.ts";
import { linkOrCopy, publishDirectory, publishFile } from "@/lib/data/files/publish.ts";
import { removeIfThere } from "@/lib/data/files/remove_if_there.ts";
import { writeWholeFile } from "@/lib/data/files/whole_file.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { type ActionRecord, parseRecord, recordText } from "./action_record.ts";
import { FileChecks } from "./file_checks.ts";
import type { MemoryFiles } from "./memory_files.ts";
import { readTree, statOf, type Tree, within } from "./tree.ts";

/** An open store. All paths are absolute. */
export class Store {
  /** which files were hashed */
  readonly checks = new FileChecks();
  readonly #memory: MemoryFiles | undefined;

  /**
   * Opens the store at `dir` and creates it if it does not exist.
   * @param memory files of a run that its stages hand over in memory
   * @throws {UsageError} if it cannot be written
   */
  constructor(readonly dir: string, memory?: MemoryFiles) {
    this.#memory = memory;
    try {
      for (const folder of ["blobs", "actions", "views", "tmp"]) {
        Deno.mkdirSync(join(dir, folder), { recursive: true });
      }
    } catch (cause) {
      throw writeError(dir, cause);
    }
  }

  /** Returns the record of `key`, if there is a complete one. */
  get(key: string): ActionRecord | undefined {
    return readRecord(this.dir, key);
  }

  /** Returns the records of all actions. */
  records(): ActionRecord[] {
    return readRecords(this.dir);
  }

  /** Returns true if every blob of `tree` is stored in its full size. */
  holds(tree: Tree): boolean {
    return Object.values(tree.files).every((file) => this.#isStored(file));
  }

  /** Returns true if every file of `tree` is stored or in this run's memory. */
  reaches(tree: Tree): boolean {
    return Object.values(tree.files).every((file) => this.#memory?.get(file.digest) || this.#isStored(file));
  }

  /** Returns true if every file of `tree` is stored with the bytes of its digest. */
  isSound(tree: Tree): boolean {
    return Object.values(tree.files).every((file) => this.checks.isSound(this.#blob(file.digest), file));
  }

  /**
   * Removes stored files of `tree` whose bytes are not those of their digests, and returns their digests.
   * @param inMemory leaves out files that are read from memory
   */
  removeDamaged(tree: Tree, inMemory = false): string[] {
    const files = Object.values(tree.files).filter(({ digest }) => !(inMemory && this.#memory?.get(digest)));
    return files.filter((file) => {
      const blob = this.#blob(file.digest);
      if (statOf(blob) === undefined || this.checks.isSound(blob, file)) return false;
      try {
        removeIfThere(blob);
      } catch (cause) {
        throw new DataError(`${blob} is damaged and cannot be removed`, { file: blob }, { cause });
      }
      return true;
    }).map(({ digest }) => digest);
  }

  /**
   * Returns the path of an output's view, which is made of its blobs if necessary: if a file is missing, is no link to its
   * blob and has other bytes, or if there are other files. Files that are only in memory are not in the view; the paths at
   * which they would be are bound to them.
   */
  async view(record: ActionRecord, port: string): Promise<string> {
    const tree = record.outputs[port]!;
    const path = this.#viewPath(record, port);
    for (const [name, { digest }] of Object.entries(tree.files)) {
      this.#memory?.bind(within(path, name), digest);
    }
    const files = Object.entries(tree.files).filter(([, file]) =>
      !this.#memory?.get(file.digest) || this.#isStored(file)
    );
    if (this.#isView(path, tree.kind, files)) return path;
    const found = statOf(path);
    if (found && found.isDirectory !== (tree.kind === "directory")) removeIfThere(path);
    if (tree.kind === "file") {
      await publishFile(path, (temporary) => this.#link(tree.digest, temporary));
    } else {
      await publishDirectory(path, (temporary) => {
        for (const [name, { digest }] of files) {
          Deno.mkdirSync(dirname(join(temporary, name)), { recursive: true });
          this.#link(digest, join(temporary, name));
        }
      });
    }
    return path;
  }

  /** Removes the views of an action that are not its blobs, and returns their names below `views/`. */
  removeDamagedViews(record: ActionRecord): string[] {
    return Object.entries(record.outputs).filter(([port, tree]) => {
      const path = this.#viewPath(record, port);
      const stored = Object.entries(tree.files).filter(([, file]) => this.#isStored(file));
      if (statOf(path) === undefined || this.#isView(path, tree.kind, stored)) return false;
      removeIfThere(path);
      return this.holds(tree);
    }).map(([port]) => `${record.key}/${record.names[port]}`);
  }

  /** Returns true if `path` has these files and no others, each a link to its blob or a copy with the same bytes. */
  #isView(path: string, kind: Tree["kind"], files: readonly (readonly [string, FileDigest])[]): boolean {
    const info = statOf(path);
    if (!info || info.isDirectory !== (kind === "directory")) return false;
    if (info.isDirectory && !isEqual(filesBelow(path), files.map(([name]) => name))) return false;
    return files.every(([name, file]) => {
      const seen = statOf(within(path, name)), blob = statOf(this.#blob(file.digest));
      if (seen?.isFile && seen.ino !== null && seen.ino === blob?.ino && seen.dev === blob.dev) return true;
      return this.checks.isSound(within(path, name), file);
    });
  }

  #link(digest: string, to: string): void {
    const blob = this.#blob(digest);
    this.checks.linking(blob, () => linkOrCopy(blob, to));
  }

  /** Makes a new empty directory for the outputs of one attempt and returns its path. */
  attempt(key: string): string {
    const path = join(this.dir, "tmp", key, `try-${crypto.randomUUID().slice(0, 8)}`);
    Deno.mkdirSync(path, { recursive: true });
    return path;
  }

  /** Returns the directory in which the stage of an action keeps its own checkpoints. */
  scratch(key: string): string {
    return join(this.dir, "tmp", key, "scratch");
  }

  /** Returns the file that the run which works on an action locks. */
  lockFile(key: string): string {
    return join(this.dir, "tmp", `${key}.lock`);
  }

  /**
   * Moves the outputs of an attempt into the store, then writes the record; earlier attempts are removed.
   * @param given content of files of the attempt by their paths; those that were not written stay in memory
   */
  async commit(
    attempt: string,
    record: Omit<ActionRecord, "outputs" | "unpublished">,
    given: ReadonlyMap<string, FileContent> = new Map(),
  ): Promise<ActionRecord> {
    const outputs: Record<string, Tree> = {};
    for (const [port, file] of Object.entries(record.names)) {
      const path = join(attempt, file);
      if (statOf(path) !== undefined) outputs[port] = this.#storeOutput(path, given);
    }
    const unpublished = Object.keys(outputs).filter((port) => !this.holds(outputs[port]!));
    const whole = withUnpublished({ ...record, outputs }, unpublished);
    for (const port of Object.keys(outputs)) await this.view(whole, port);
    const text = recordText(whole);
    await publishFile(this.#recordFile(record.key), (temporary) => Deno.writeTextFileSync(temporary, text));
    removeIfThere(join(this.dir, "tmp", record.key));
    return whole;
  }

  /** Writes the files of `ports` that are only in memory, and returns the record as it is then. */
  publish(record: ActionRecord, ports: readonly string[]): ActionRecord {
    const published = (record.unpublished ?? []).filter((port) => ports.includes(port));
    for (const port of published) {
      for (const file of Object.values(record.outputs[port]!.files)) {
        const content = this.#memory?.get(file.digest);
        if (!content || this.#isStored(file)) continue;
        const temporary = join(this.attempt(record.key), file.digest);
        writeWholeFile(temporary, content.parts);
        this.#storeBlob(temporary, file, false);
        this.#memory?.stored(file.digest);
      }
    }
    removeIfThere(join(this.dir, "tmp", record.key));
    const left = (record.unpublished ?? []).filter((port) =>
      !published.includes(port) || !this.holds(record.outputs[port]!)
    );
    if (left.length === (record.unpublished ?? []).length) return record;
    const whole = withUnpublished(record, left);
    const temporary = `${this.#recordFile(record.key)}.${crypto.randomUUID().slice(0, 8)}.partial`;
    Deno.writeTextFileSync(temporary, recordText(whole));
    flush(temporary);
    Deno.renameSync(temporary, this.#recordFile(record.key));
    flush(join(this.dir, "actions"));
    return whole;
  }

  /** Drops from memory the files of `ports`, except those in `kept` (digests). */
  forget(record: ActionRecord, ports: readonly string[], kept: ReadonlySet<string>): void {
    for (const digest of digestsOf(record, ports)) if (!kept.has(digest)) this.#memory?.drop(digest);
  }

  /** Removes the views and blobs of `ports`, except blobs in `kept` (digests). */
  prune(record: ActionRecord, ports: readonly string[], kept: ReadonlySet<string>): void {
    this.forget(record, ports, kept);
    for (const port of ports) {
      if (record.names[port] !== undefined) removeIfThere(this.#viewPath(record, port));
    }
    for (const digest of digestsOf(record, ports)) if (!kept.has(digest)) removeIfThere(this.#blob(digest));
  }

  /** Removes the records and views of these actions, and blobs that no other record has. */
  drop(records: readonly ActionRecord[]): void {
    for (const { key } of records) {
      removeIfThere(this.#recordFile(key));
      removeIfThere(join(this.dir, "views", key));
    }
    const kept = new Set(this.records().flatMap((record) => digestsOf(record, Object.keys(record.outputs))));
    for (const record of records) {
      for (const digest of digestsOf(record, Object.keys(record.outputs))) {
        if (!kept.has(digest)) removeIfThere(this.#blob(digest));
      }
    }
  }

  #blob(digest: string): string {
    return join(this.dir, "blobs", digest.slice(0, 2), digest);
  }

  #isStored({ digest, size }: FileDigest): boolean {
    const info = statOf(this.#blob(digest));
    return info?.isFile === true && info.size === size;
  }

  #recordFile(key: string): string {
    return recordFile(this.dir, key);
  }

  #viewPath(record: ActionRecord, port: string): string {
    return join(this.dir, "views", record.key, record.names[port]!);
  }

  /** Stores the files of one output, takes over those that were handed over, and returns the output's tree. */
  #storeOutput(path: string, given: ReadonlyMap<string, FileContent>): Tree {
    const contents = new Map<string, FileContent>();
    for (const [file, content] of given) {
      if (file.startsWith(`${path}/`)) contents.set(file.slice(path.length + 1), content);
    }
    const known = Object.fromEntries(
      [...contents].map(([name, { parts }]) => [name, digestParts(parts)] as const),
    );
    const tree = readTree(path, known);
    for (const [name, file] of Object.entries(tree.files)) {
      // The digest of a file that was handed over is that of its content in memory: on disk it is not hashed yet.
      if (statOf(within(path, name)) !== undefined) {
        this.#storeBlob(within(path, name), file, !contents.has(name));
      }
      const content = contents.get(name);
      if (content) this.#memory?.add(file.digest, content, !this.#isStored(file));
    }
    return tree;
  }

  /**
   * Moves a finished file to its place among the blobs unless an undamaged one is there. Read-only, as hard links share it.
   * @param isHashed whether `file` is the digest of the file on disk
   */
  #storeBlob(from: string, file: FileDigest, isHashed: boolean): void {
    const to = this.#blob(file.digest);
    if (this.checks.isSound(to, file)) return;
    if (statOf(to)?.isDirectory) removeIfThere(to);
    Deno.mkdirSync(dirname(to), { recursive: true });
    // A stage may have linked a file of the user's into its output: that file must stay writable and ours unchanged.
    const isLinked = (Deno.statSync(from).nlink ?? 1) > 1;
    const source = isLinked ? `${from}.${crypto.randomUUID().slice(0, 8)}.partial` : from;
    if (isLinked) Deno.copyFileSync(from, source);
    flush(source);
    Deno.chmodSync(source, 0o444);
    // A rename replaces a damaged blob in one step; where two runs do this at once, both bring the same bytes.
    Deno.renameSync(source, to);
    if (isHashed) this.checks.note(to, file.digest);
    flush(dirname(to));
  }
}

/** Returns the records of all actions in the store at `dir`, which is not changed. @throws {UsageError} if it is no store */
export function readRecords(dir: string): ActionRecord[] {
  let names: string[];
  try {
    names = Array.from(Deno.readDirSync(join(dir, "actions")), ({ name }) => name);
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new UsageError(`Expected a store with actions, got ${dir}`, { cause });
  }
  return names.filter((name) => /^[^.].*\.json$/.test(name)).sort()
    .flatMap((name) => readRecord(dir, name.slice(0, -5)) ?? []);
}

function readRecord(dir: string, key: string): ActionRecord | undefined {
  try {
    const record = parseRecord(Deno.readTextFileSync(recordFile(dir, key)));
    return record?.key === key ? record : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function recordFile(dir: string, key: string): string {
  return join(dir, "actions", `${key}.json`);
}

/** Returns the digests of all files of some outputs. */
export function digestsOf(record: ActionRecord, ports: readonly string[]): string[] {
  return ports.flatMap((port) => Object.values(record.outputs[port]?.files ?? {}).map((file) => file.digest));
}

/** Returns `record` with these ports unpublished. */
function withUnpublished(
  { unpublished: _, ...record }: ActionRecord,
  ports: readonly string[],
): ActionRecord {
  return ports.length === 0 ? record : { ...record, unpublished: [...ports].sort() };
}

/** Returns the paths of all entries below `directory` that are no directories, relative to it. */
function filesBelow(directory: string, prefix = ""): string[] {
  return [...Deno.readDirSync(directory)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(join(directory, name), `${prefix}${name}/`) : [`${prefix}${name}`]
  );
}

function isEqual(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}

function flush(path: string): void {
  using file = Deno.openSync(path, { read: true });
  file.syncSync();
}

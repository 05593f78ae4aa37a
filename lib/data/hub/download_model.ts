/**
 * Downloads models and data sets from the hub into directories of the local cache: `models--ORG--NAME/COMMIT`, `datasets--…`. A directory exists only if it
 * is complete and every digest is checked; `COMMIT.files.json` next to it has the digests, with which the files are checked
 * again when they are used, and `refs/` the last known commit of branches and tags.
 * @module
 */
import { append } from "@/lib/compute/tensor/large_lists.ts";
import { datasetInfo, type ListFileEntry, modelInfo } from "@huggingface/hub";
import { join } from "node:path";
import { readJsonObject } from "@/lib/data/files/json.ts";
import { writing } from "@/lib/data/files/file_errors.ts";
import { isDirectory, isFile, statIfThere } from "@/lib/data/files/paths.ts";
import { publishFile } from "@/lib/data/files/publish.ts";
import { removeIfThere } from "@/lib/data/files/remove_if_there.ts";
import { readText } from "@/lib/data/files/whole_file.ts";
import { UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { findDamage, storeDigests } from "./cached_model.ts";
import { fetchFile, type FileStart } from "./download_file.ts";
import { checkFreeSpace } from "./free_space.ts";
import { type Hub, hubError } from "./hub_errors.ts";
import { access, checkedFile, type HubFile, listedFiles, shown } from "./hub_files.ts";
import { datasetFiles, firstFiles, INDEX, shardsOf } from "./model_files.ts";
import { isCommit } from "./model_reference.ts";

/** The cache, and callbacks for progress and warnings. */
export interface DownloadOptions {
  /** absolute */
  readonly cache: string;
  readonly onStart?: (start: FileStart) => void;
  /** called if the hub does not respond and a commit that was downloaded earlier is used */
  readonly warn?: (message: string) => void;
}

/**
 * Returns the directory of a model, which is downloaded if it is not in the cache. For a cached model, a commit needs no
 * network and a branch or tag needs one request. Damaged files are downloaded again. Several processes download the same model
 * one after the other.
 * @returns an absolute path
 * @throws {UnavailableError} if the hub does not respond and the model is not in the cache
 * @throws {UsageError} if the hub has no such model or denies access
 * @throws {DataError} if the repository has no supported model, or a digest is wrong
 */
export async function downloadModel(hub: Hub, options: DownloadOptions): Promise<string> {
  const { reference } = hub;
  const home = join(options.cache, `${reference.kind}s--${reference.name.replaceAll("/", "--")}`);
  const commit = await commitOf(hub, home, options);
  const directory = join(home, commit);
  if (isDirectory(directory) && isUndamaged(await findDamage(directory))) return directory;
  writing(home, () => Deno.mkdirSync(home, { recursive: true }));
  using lock = writing(home, () => Deno.openSync(join(home, "lock"), { create: true, write: true }));
  await lock.lock(true);
  const damage = isDirectory(directory) ? await findDamage(directory) : undefined;
  if (isUndamaged(damage)) return directory; // another process was faster
  const entries = await listed(hub, commit).catch((cause) => {
    if (!(cause instanceof UnavailableError) || !isDirectory(directory)) throw cause;
    if (damage === undefined) return undefined;
    throw new UnavailableError(`${damage.join("; ")}. ${cause.message}`, { cause });
  });
  if (entries === undefined) {
    options.warn?.(`${hub.endpoint} does not respond: the files of ${directory} are used without a check`);
    return directory;
  }
  const unfinished = `${directory}.unfinished`;
  if (isDirectory(directory)) {
    damage?.forEach((line) => options.warn?.(`${line}; it is downloaded again`));
    removeIfThere(unfinished);
    Deno.renameSync(directory, unfinished);
  }
  writing(unfinished, () => Deno.mkdirSync(unfinished, { recursive: true }));
  const files = await fetchAll(hub, commit, entries, unfinished, options.onStart ?? (() => {}));
  Deno.renameSync(unfinished, directory);
  await storeDigests(directory, files);
  return directory;
}

function isUndamaged(damage: readonly string[] | undefined): boolean {
  return damage?.length === 0;
}

/** Returns the commit of the revision; if the hub does not respond, the last known one. */
async function commitOf(hub: Hub, home: string, { warn }: DownloadOptions): Promise<string> {
  const { kind, name, revision, text } = hub.reference;
  if (isCommit(revision) && isDirectory(join(home, revision))) return revision;
  const ref = join(home, "refs", encodeURIComponent(revision));
  try {
    const options = { name, revision, additionalFields: ["sha" as const], ...access(hub) };
    const { sha } = await (kind === "dataset" ? datasetInfo(options) : modelInfo(options));
    if (!isCommit(sha)) {
      throw new UnavailableError(
        `Cannot download ${text}: ${hub.endpoint} must name a commit, got ${shown(sha)}`,
      );
    }
    if (sha !== revision) await publishFile(ref, (temporary) => Deno.writeTextFileSync(temporary, sha));
    return sha;
  } catch (cause) {
    const error = hubError(hub, "", cause), known = isFile(ref) ? readText(ref).trim() : "";
    if (!(error instanceof UnavailableError) || !isDirectory(join(home, known || "."))) throw error;
    if (!isCommit(known)) throw error;
    warn?.(
      `${hub.endpoint} does not respond: using commit ${known} of ${text}, which was downloaded earlier`,
    );
    return known;
  }
}

async function listed(hub: Hub, commit: string): Promise<Map<string, ListFileEntry>> {
  try {
    return await listedFiles(hub, commit);
  } catch (cause) {
    throw hubError(hub, "", cause);
  }
}

/** Downloads the files that a model directory holds, and returns them. */
async function fetchAll(
  hub: Hub,
  commit: string,
  entries: ReadonlyMap<string, ListFileEntry>,
  folder: string,
  onStart: (start: FileStart) => void,
): Promise<HubFile[]> {
  const { kind, text } = hub.reference, present = [...entries.keys()], done: HubFile[] = [];
  const fetchNamed = async (names: readonly string[]) => {
    const files = names.map((name) => checkedFile(entries.get(name)!, hub.reference));
    const missing = files.filter(({ name }) => !isFile(join(folder, name)));
    const here = (name: string) => statIfThere(join(folder, `${name}.incomplete`))?.size ?? 0;
    checkFreeSpace(folder, missing.reduce((sum, { name, bytes }) => sum + bytes - here(name), 0), text);
    for (const file of files) await fetchFile(hub, commit, file, folder, onStart);
    append(done, files);
  };
  if (kind === "dataset") {
    await fetchNamed(datasetFiles(present, text));
    return done;
  }
  const first = firstFiles(present, text);
  await fetchNamed(first);
  if (first.includes(INDEX)) {
    await fetchNamed(shardsOf(readJsonObject(join(folder, INDEX)), present, text));
  }
  return done;
}

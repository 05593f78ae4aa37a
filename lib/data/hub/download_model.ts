/**
 * Downloads models from the hub into directories of the local cache: `models--ORG--NAME/COMMIT`. A directory exists only if it
 * is complete and every digest is checked; `refs/` next to it stores the last known commit of branches and tags.
 * @module
 */
import { listFiles, modelInfo } from "@huggingface/hub";
import { join } from "node:path";
import { readJsonObject } from "@/lib/data/files/json.ts";
import { isDirectory, isFile } from "@/lib/data/files/paths.ts";
import { publishFile } from "@/lib/data/files/publish.ts";
import { readText } from "@/lib/data/files/whole_file.ts";
import { UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { fetchFile, type FileStart } from "./download_file.ts";
import { type Hub, hubError } from "./hub_errors.ts";
import { firstFiles, INDEX, shardsOf } from "./model_files.ts";
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
 * network and a branch or tag needs one request. Several processes download the same model one after the other.
 * @returns an absolute path
 * @throws {UnavailableError} if the hub does not respond and the model is not in the cache
 * @throws {UsageError} if the hub has no such model or denies access
 * @throws {DataError} if the repository has no supported model, or a digest is wrong
 */
export async function downloadModel(hub: Hub, options: DownloadOptions): Promise<string> {
  const { reference } = hub;
  const home = join(options.cache, `models--${reference.name.replaceAll("/", "--")}`);
  const commit = await commitOf(hub, home, options);
  const directory = join(home, commit);
  if (isDirectory(directory)) return directory;
  Deno.mkdirSync(home, { recursive: true });
  using lock = Deno.openSync(join(home, "lock"), { create: true, write: true });
  await lock.lock(true);
  if (isDirectory(directory)) return directory; // another process was faster
  const unfinished = join(home, `${commit}.unfinished`);
  Deno.mkdirSync(unfinished, { recursive: true });
  await fetchAll(hub, commit, unfinished, options.onStart ?? (() => {}));
  Deno.renameSync(unfinished, directory);
  return directory;
}

/** Returns the commit of the revision; if the hub does not respond, the last known one. */
async function commitOf(hub: Hub, home: string, { warn }: DownloadOptions): Promise<string> {
  const { name, revision, text } = hub.reference;
  if (isCommit(revision) && isDirectory(join(home, revision))) return revision;
  const ref = join(home, "refs", encodeURIComponent(revision));
  try {
    const { sha } = await modelInfo({ name, revision, additionalFields: ["sha"], ...access(hub) });
    if (!isCommit(sha)) {
      throw new UnavailableError(
        `Cannot download ${text}: ${hub.endpoint} must name a commit, got ${JSON.stringify(sha)}`,
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

async function fetchAll(
  hub: Hub,
  commit: string,
  folder: string,
  onStart: (start: FileStart) => void,
): Promise<void> {
  const { name, text } = hub.reference;
  const entries = new Map<string, Parameters<typeof fetchFile>[2]>();
  try {
    const all = listFiles({ repo: { type: "model", name }, revision: commit, ...access(hub) });
    for await (const entry of all) if (entry.type === "file") entries.set(entry.path, entry);
  } catch (cause) {
    throw hubError(hub, "", cause);
  }
  const present = [...entries.keys()].filter((path) => /^[\w][\w.+-]*$/.test(path));
  const fetchNamed = (file: string) => fetchFile(hub, commit, entries.get(file)!, folder, onStart);
  const first = firstFiles(present, text);
  for (const file of first) await fetchNamed(file);
  if (!first.includes(INDEX)) return;
  const index = readJsonObject(join(folder, INDEX));
  for (const file of shardsOf(index, present, text)) await fetchNamed(file);
}

function access({ endpoint, token }: Hub): { readonly hubUrl: string; readonly accessToken?: string } {
  return { hubUrl: endpoint, ...(token !== undefined && { accessToken: token }) };
}

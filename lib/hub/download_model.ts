/**
 * A model from the hub as a directory in the local cache: `models--ORG--NAME/COMMIT`. The directory is there as a
 * whole, every digest checked, or not at all; beside it `refs/` remembers which commit a branch or tag was.
 * @module
 */
import { listFiles, modelInfo } from "@huggingface/hub";
import { join } from "node:path";
import { publishFile } from "@/lib/files/publish.ts";
import { DataError, UnavailableError } from "@/lib/tensor/errors.ts";
import { fetchFile, type FileStart } from "./download_file.ts";
import { type Hub, hubError } from "./hub_errors.ts";
import { firstFiles, INDEX, shardsOf } from "./model_files.ts";
import { isCommit } from "./model_reference.ts";

/** Where models are kept, and who is told what. */
export interface DownloadOptions {
  /** absolute */
  readonly cache: string;
  readonly onStart?: (start: FileStart) => void;
  /** told when the hub does not answer and a commit that was downloaded earlier stands in */
  readonly warn?: (message: string) => void;
}

/**
 * The directory of a model. What is there is not downloaded again: a commit needs no network then, and a branch or tag
 * one question. Downloads of one model, by however many processes, go one after the other.
 * @returns an absolute path
 * @throws {UnavailableError} if the hub does not answer and the model is not in the cache
 * @throws {UsageError} if the hub has no such model, or does not open it
 * @throws {DataError} if it is no model that can be read, or a digest is wrong
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

/** The commit of the revision; where the hub does not answer, the one that it was when it last did. */
async function commitOf(hub: Hub, home: string, { warn }: DownloadOptions): Promise<string> {
  const { name, revision, text } = hub.reference;
  if (isCommit(revision) && isDirectory(join(home, revision))) return revision;
  const ref = join(home, "refs", encodeURIComponent(revision));
  try {
    const { sha } = await modelInfo({ name, revision, additionalFields: ["sha"], ...access(hub) });
    if (!isCommit(sha)) {
      throw new UnavailableError(
        `Cannot download ${text} as ${hub.endpoint} must name a commit of it: it names ${
          JSON.stringify(sha)
        }`,
      );
    }
    if (sha !== revision) await publishFile(ref, (temporary) => Deno.writeTextFileSync(temporary, sha));
    return sha;
  } catch (cause) {
    const error = hubError(hub, "", cause), known = textOf(ref)?.trim() ?? "";
    if (!(error instanceof UnavailableError) || !isDirectory(join(home, known || "."))) throw error;
    if (!isCommit(known)) throw error;
    warn?.(`${hub.endpoint} does not answer: ${text} is commit ${known}, as it was when it last did`);
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
  const index = textOf(join(folder, INDEX));
  if (index === undefined) {
    throw new DataError(`Cannot download ${text} as ${INDEX} must be there: it is gone`);
  }
  for (const file of shardsOf(index, present, text)) await fetchNamed(file);
}

function access({ endpoint, token }: Hub): { readonly hubUrl: string; readonly accessToken?: string } {
  return { hubUrl: endpoint, ...(token !== undefined && { accessToken: token }) };
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function textOf(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

/**
 * Recognises golden folders by their content: a folder is one golden, or holds others. Nothing is passed over: what is
 * no golden of a known kind is named as such.
 * @module
 */
import { basename, dirname, join, resolve } from "node:path";
import { isJsonObject } from "@/lib/files/strict_json.ts";
import { DataError } from "@/lib/tensor/errors.ts";

/** Kinds of goldens; `unknown` is what is none of them. */
export type GoldenKind =
  | ("family" | "lora" | "ppo" | "srppo" | "tokenizer" | "chat_template" | "layouts" | "corrupt")
  | "unknown";

/** Something to check. */
export interface Golden {
  /** what it is by its content */
  readonly kind: GoldenKind;
  /** a folder, or the file of a topic */
  readonly path: string;
  /** the last two parts of its path, as reports show it */
  readonly name: string;
}

/**
 * All goldens at or below a path, in the order of their names.
 * @throws {DataError} if the path does not exist, or is not and does not hold a golden
 */
export function findGoldens(path: string): Golden[] {
  const found = search(path);
  if (found.every(({ kind }) => kind === "unknown")) {
    throw new DataError(
      `Cannot check ${path} as it must be a golden family, LoRA adapter, ppo topic, srppo iteration, tokenizer, chat template, list of layouts or ` +
        `of corrupt files, or a folder of them: ` +
        `it holds ${isFile(path) ? "no topic" : listOf(path)}`,
      { file: path },
    );
  }
  return found;
}

function search(path: string): Golden[] {
  if (!exists(path)) {
    throw new DataError(`Cannot check ${path} as it must exist: there is no such file or folder`, {
      file: path,
    });
  }
  if (isFile(path)) return [goldenAt(isTopic(path) ? "ppo" : "unknown", path)];
  const kind = kindOf(path);
  if (kind !== undefined) return [goldenAt(kind, path)];
  const entries = entriesOf(path);
  const topics = entries.filter(({ name, isFile }) => isFile && name.endsWith(".json"));
  const below = [...topics, ...entries.filter(({ isDirectory }) => isDirectory)];
  if (below.length === 0) return [goldenAt("unknown", path)];
  return below.flatMap(({ name }) => search(join(path, name)));
}

/** What a folder is by the entries that it has; undefined if it is none or holds several. */
function kindOf(folder: string): GoldenKind | undefined {
  const has = (...names: string[]) => names.every((name) => exists(join(folder, name)));
  if (has("adapter_config.json")) return "lora";
  if (has("golden.safetensors")) return "family";
  if (has("golden.json", "base", "sft", "policy", "critic")) return "srppo";
  if (has("cases.json", "tokenizer_config.json")) return "chat_template";
  if (has("cases.json")) return "tokenizer";
  if (has("files.jsonl", "expected.jsonl")) return "layouts";
  if (has("expected.jsonl")) return "corrupt";
  const adapters = entriesOf(folder).filter(({ name }) => has(join(name, "adapter_config.json")));
  return has("base") && adapters.length > 0 ? "lora" : undefined;
}

function goldenAt(kind: GoldenKind, path: string): Golden {
  const full = resolve(path);
  return { kind, path, name: join(basename(dirname(full)), basename(full, ".json")) };
}

function isTopic(path: string): boolean {
  if (!path.endsWith(".json")) return false;
  try {
    const json: unknown = JSON.parse(Deno.readTextFileSync(path));
    return isJsonObject(json) && "topic" in json && "cases" in json;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function entriesOf(folder: string): Deno.DirEntry[] {
  return [...Deno.readDirSync(folder)].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function listOf(folder: string): string {
  const names = entriesOf(folder).map(({ name }) => name);
  return names.length === 0 ? "nothing" : names.slice(0, 6).join(", ") + (names.length > 6 ? ", …" : "");
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}

function isFile(path: string): boolean {
  return Deno.statSync(path).isFile;
}

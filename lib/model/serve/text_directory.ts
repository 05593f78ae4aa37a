/** Where the tokenizer and the chat template of a model are. @module */
import { join } from "node:path";
import { isFile } from "@/lib/data/files/paths.ts";
import { baseDirectoryOf, isAdapterDirectory } from "@/lib/model/models/lora/adapter_directory.ts";

/** Returns the directory with tokenizer.json: the model's, or that of an adapter's base. Undefined: there is none. */
export function textDirectory(directory: string): string | undefined {
  const base = isAdapterDirectory(directory) ? [baseDirectoryOf(directory)] : [];
  return [directory, ...base].find((folder) => isFile(join(folder, "tokenizer.json")));
}

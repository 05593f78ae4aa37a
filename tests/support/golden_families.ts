/** Golden folders of model families: results of transformers on small random models. @module */
import { readConfig } from "@/lib/model/models/config.ts";
import { FAMILIES } from "@/lib/model/models/families.ts";

/** Folder of all goldens of families. */
export const GOLDEN_FOLDER = "fixtures/goldens/families";

/** Names of all golden folders, several per family. */
export const GOLDEN_NAMES: readonly string[] = [...Deno.readDirSync(GOLDEN_FOLDER)]
  .filter(({ isDirectory }) => isDirectory).map(({ name }) => name).sort();

/** One golden folder per family: the one with the shortest name. @throws {Error} for a family without a golden */
export const FAMILY_GOLDENS: readonly string[] = Object.keys(FAMILIES).map((type) => {
  const names = GOLDEN_NAMES.filter((name) => readConfig(`${GOLDEN_FOLDER}/${name}`).model_type === type);
  if (names.length === 0) throw new Error(`${GOLDEN_FOLDER} has no golden of the family ${type}`);
  return names.reduce((a, b) => b.length < a.length ? b : a);
});

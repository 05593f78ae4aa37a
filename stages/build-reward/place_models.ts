/**
 * Places the models of a reward in its directory: as hard links if the file system supports them, else as copies. A model that is
 * used twice is stored once; averaged members are written as one model.
 * @module
 */
import { dirname, join } from "node:path";
import { copyTokenizerFiles } from "@/lib/data/contracts/model_directory.ts";
import type { RewardManifest, StoredModel } from "@/lib/data/contracts/reward_directory.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import { linkOrCopy } from "@/lib/data/files/publish.ts";
import { writeModel } from "@/lib/model/models/checkpoint.ts";
import { frozenNetwork } from "@/lib/model/reward/frozen_networks.ts";
import type { RewardParts } from "./check_models.ts";
import { soupOf } from "./soup.ts";

/** The models of a reward in its manifest. */
type PlacedModels = Pick<RewardManifest, "members" | "base" | "baseline" | "soupOf">;

/**
 * Fills `directory` with `base`, `members/0`, `members/1`, …, and `baseline` if there is one. Files whose names begin with a dot
 * are not copied, as digests exclude them.
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the directory cannot be written
 */
export function placeModels(
  directory: string,
  { base, members, baseline }: Pick<RewardParts, "members" | "base" | "baseline">,
): PlacedModels {
  const placed = new Map<string, StoredModel>();
  const place = ({ path, digest }: StoredModel, name: string): StoredModel => {
    const known = placed.get(digest);
    if (known) return known;
    for (const file of Object.keys(digestDirectory(path).files)) {
      const to = join(directory, name, file);
      Deno.mkdirSync(dirname(to), { recursive: true });
      linkOrCopy(join(path, file), to);
    }
    const model = { path: name, digest };
    placed.set(digest, model);
    return model;
  };
  return {
    base: place(base, "base"),
    members: members.map((member, i) => place(member, `members/${i}`)),
    ...baseline ? { baseline: place(baseline, "baseline") } : {},
  };
}

/**
 * Does the same with one member, `members/0`, whose weights are the mean of those of `members`.
 * @throws {DataError} listing members that cannot be averaged
 */
export function placeSoup(
  directory: string,
  { members, base, baseline }: Pick<RewardParts, "members" | "base" | "baseline">,
): PlacedModels {
  const path = "members/0", to = join(directory, path);
  const soup = soupOf(members.map(({ role, path, digest }) => {
    const { model, parameters } = frozenNetwork(path, digest);
    return { role, model, parameters };
  }));
  Deno.mkdirSync(to, { recursive: true });
  writeModel(to, soup);
  copyTokenizerFiles(members[0]!.path, to);
  return {
    ...placeModels(directory, { members: [], base, baseline }),
    members: [{ path, digest: digestDirectory(to).digest }],
    soupOf: members.map(({ digest }) => digest),
  };
}

/**
 * Puts the models of a reward into its directory: hard links where the file system can, else copies. A model that is
 * used twice is stored once.
 * @module
 */
import { dirname, join } from "node:path";
import type { RewardModel } from "@/lib/contracts/reward_directory.ts";
import { digestDirectory } from "@/lib/files/digest.ts";
import { linkOrCopy } from "@/lib/files/publish.ts";

/** A model directory with its digest. */
export interface ModelPlace {
  readonly path: string;
  readonly digest: string;
}

/** Where a reward's models lie, as reward.json says it. */
export interface PlacedModels {
  readonly members: readonly RewardModel[];
  readonly base: RewardModel;
}

/**
 * Fills `directory` with `base` and `members/0`, `members/1`, … Entries whose names begin with a dot are left behind, as
 * digests do not see them.
 * @throws {TryAgainError} if the disk is full
 * @throws {UsageError} if the directory cannot be written
 */
export function placeModels(
  directory: string,
  models: { readonly members: readonly ModelPlace[]; readonly base: ModelPlace },
): PlacedModels {
  const placed = new Map<string, RewardModel>();
  const place = ({ path, digest }: ModelPlace, name: string): RewardModel => {
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
    base: place(models.base, "base"),
    members: models.members.map((member, i) => place(member, `members/${i}`)),
  };
}

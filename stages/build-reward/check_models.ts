/**
 * Opens the models of a reward and checks that they fit together. In: paths. Out: models by role with their digests.
 * @module
 */
import { tokenizerDigest } from "@/lib/data/contracts/model_directory.ts";
import type { NamedModel } from "@/lib/data/contracts/model_list.ts";
import { digestDirectory } from "@/lib/data/files/digest.ts";
import type { Model } from "@/lib/model/models/model.ts";
import { frozenNetwork, holdNetworks } from "@/lib/model/reward/frozen_networks.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { loadSpecialIds } from "@/lib/data/text/load_special_ids.ts";
import { append } from "@/lib/compute/tensor/large_lists.ts";

/** A model of a reward, or of its calibration. Its weights are those of `frozenNetwork(path, digest)`. */
export interface RewardPart {
  /** name in messages: base, sft, members[0], checkpoints[0]/000063 */
  readonly role: string;
  readonly path: string;
  /** of its directory */
  readonly digest: string;
  readonly tokenizerDigest: string;
  readonly bosId: number | null;
  readonly eosIds: readonly number[];
  readonly model: Model;
}

/** All models of a reward. */
export interface RewardParts {
  readonly members: readonly RewardPart[];
  readonly base: RewardPart;
  /** the model that is subtracted from the members, if it is not the base */
  readonly baseline: RewardPart | undefined;
  readonly sft: RewardPart | undefined;
  /** intermediate checkpoints of SFT, of which one may replace the members */
  readonly checkpoints: readonly RewardPart[];
}

/** Paths of the models. */
interface PartPaths {
  readonly members: readonly NamedModel[];
  readonly base: string;
  readonly baseline: string | undefined;
  readonly sft: string | undefined;
  readonly checkpoints: readonly NamedModel[];
}

/**
 * Loads every model once and checks that they can make a reward together.
 * @throws {DataError} listing all problems: models that cannot be read or contain NaN, critics, tokenizers, vocabularies
 *   or EOS ids that differ, no EOS id at all, and members that are the base or the baseline
 */
export function openParts(paths: PartPaths): RewardParts {
  const problems: string[] = [];
  const known = new Map<string, Omit<RewardPart, "role"> | undefined>();
  const open = (role: string, path: string): RewardPart | undefined => {
    if (!known.has(path)) {
      try {
        known.set(path, openPart(path, [...known.values()].flatMap((part) => part?.digest ?? [])));
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        known.set(path, undefined);
        problems.push(`${role}: ${error.message}`);
      }
    }
    const part = known.get(path);
    return part && { role, ...part };
  };
  const base = open("base", paths.base);
  const sft = paths.sft === undefined ? undefined : open("sft", paths.sft);
  const members = paths.members.map(({ name, path }) => open(name, path));
  const checkpoints = paths.checkpoints.map(({ name, path }) => open(name, path));
  const baseline = paths.baseline === undefined ? undefined : open("baseline", paths.baseline);
  const all = [base, sft, ...members, ...checkpoints, baseline].filter((part) => part !== undefined);
  append(problems, mismatches(all));
  for (const member of [...members, ...checkpoints]) {
    if (member && base && isSameModel(member, base)) {
      problems.push(`${member.role} equals the base: every reward would be 0 (SFT changed nothing)`);
    } else if (member && baseline && isSameModel(member, baseline)) {
      problems.push(`${member.role} equals the baseline: every reward would be 0`);
    }
  }
  if (sft && base && isSameModel(sft, base)) {
    problems.push("sft equals the base: base and SFT models may be swapped, or SFT has changed nothing");
  }
  if (problems.length > 0) {
    const file = all[0]?.path ?? paths.base;
    throw new DataError(`Incompatible models: ${problems.join("; ")}`, { file });
  }
  return {
    members: members as RewardPart[],
    base: base!,
    baseline,
    sft,
    checkpoints: checkpoints as RewardPart[],
  };
}

/** Loads a model and holds it in memory, with those that are `opened` already. */
function openPart(path: string, opened: readonly string[]): Omit<RewardPart, "role"> {
  const { bosId, eosIds } = loadSpecialIds(path), { digest } = digestDirectory(path);
  holdNetworks([...opened, digest]);
  const { model } = frozenNetwork(path, digest); // reads every weight, and fails on NaN
  return { path, digest, tokenizerDigest: tokenizerDigest(path), bosId, eosIds, model };
}

/** Returns the differences of each model from the first one that keep them from making a reward. */
function mismatches(parts: readonly RewardPart[]): string[] {
  const [first] = parts, problems: string[] = [];
  for (const { role, model } of parts) {
    if (model.headKind !== "lm") problems.push(`${role} must be a language model, got a critic`);
  }
  const compare = (part: RewardPart, to: RewardPart, what: string, of: (part: RewardPart) => string) => {
    if (of(part) !== of(to)) {
      problems.push(`${part.role} must have the same ${what} as ${to.role}, ${of(to)}, got ${of(part)}`);
    }
  };
  for (const part of parts.slice(1)) {
    compare(part, first!, "tokenizer", ({ tokenizerDigest: digest }) => digest.slice(0, 12));
    compare(part, first!, "vocabulary size", ({ model }) => String(model.vocabSize));
  }
  // The base may have another EOS id (a chat model ends turns with its own): the trained models must agree.
  const [sft, ...others] = parts.filter(({ role }) => role !== "base");
  if (sft && sft.eosIds.length === 0) problems.push(`${sft.role} must have an EOS id, got none`);
  for (const other of others) {
    compare(other, sft!, "EOS ids", ({ eosIds }) => eosIds.toSorted((a, b) => a - b).join(", ") || "none");
  }
  return problems;
}

/** Returns whether two models have equal bytes, or equal weights with another config. */
function isSameModel(a: RewardPart, b: RewardPart): boolean {
  if (a.digest === b.digest) return true;
  const x = frozenNetwork(a.path, a.digest).parameters, y = frozenNetwork(b.path, b.digest).parameters;
  return x.specs.length === y.specs.length &&
    x.specs.every(({ name }, i) => name === y.specs[i]!.name) &&
    x.data.length === y.data.length && x.data.every((value, i) => value === y.data[i]);
}

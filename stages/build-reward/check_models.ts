/**
 * The models of a reward, opened and checked against each other. In: paths. Out: models by role with their digests.
 * @module
 */
import { tokenizerDigest } from "@/lib/contracts/model_directory.ts";
import type { NamedModel } from "@/lib/contracts/model_list.ts";
import { digestDirectory } from "@/lib/files/digest.ts";
import type { Model } from "@/lib/models/model.ts";
import type { ParameterVector } from "@/lib/models/parameters.ts";
import { frozenNetwork } from "@/lib/reward/frozen_networks.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { loadSpecialIds } from "@/lib/text/load_special_ids.ts";

/** A model that a reward is made of, or is calibrated with. Its weights are those of `frozenNetwork(path, digest)`. */
export interface RewardPart {
  /** what messages call it: base, sft, members[0], checkpoints[0]/000063 */
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
  /** what members are held against, where it is not the base */
  readonly baseline: RewardPart | undefined;
  readonly sft: RewardPart | undefined;
  /** SFT models on the way, of which one may take the members' place */
  readonly checkpoints: readonly RewardPart[];
}

/** Paths of the models. */
export interface PartPaths {
  readonly members: readonly NamedModel[];
  readonly base: string;
  readonly baseline?: string | undefined;
  readonly sft: string | undefined;
  readonly checkpoints: readonly NamedModel[];
}

/**
 * Loads every model once and checks that they can make a reward together.
 * @throws {DataError} listing all that is wrong: models that cannot be read or hold NaN, critics, tokenizers, vocabularies
 *   or ends that differ, no end at all, and members that are the base or the baseline
 */
export function openParts(paths: PartPaths): RewardParts {
  const problems: string[] = [];
  const known = new Map<string, Omit<RewardPart, "role"> | undefined>();
  const open = (role: string, path: string): RewardPart | undefined => {
    if (!known.has(path)) {
      try {
        known.set(path, openPart(path));
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
  if (all.length > 0) problems.push(...mismatches(all));
  for (const member of [...members, ...checkpoints]) {
    if (member && base && isSameModel(member, base)) {
      problems.push(`${member.role} is the base: every reward would be 0, and SFT has changed nothing`);
    } else if (member && baseline && isSameModel(member, baseline)) {
      problems.push(`${member.role} is the baseline: every reward would be 0`);
    }
  }
  if (sft && base && isSameModel(sft, base)) {
    problems.push("sft is the base: base and SFT models may be swapped, or SFT has changed nothing");
  }
  if (problems.length > 0) {
    throw new DataError(
      `Cannot build a reward as its models must fit together: ${problems.join("; ")}`,
      { file: all[0]?.path ?? paths.base },
    );
  }
  return {
    members: members as RewardPart[],
    base: base!,
    baseline,
    sft,
    checkpoints: checkpoints as RewardPart[],
  };
}

function openPart(path: string): Omit<RewardPart, "role"> {
  const { bosId, eosIds } = loadSpecialIds(path), { digest } = digestDirectory(path);
  const { model } = frozenNetwork(path, digest); // reads every weight, and refuses NaN
  return { path, digest, tokenizerDigest: tokenizerDigest(path), bosId, eosIds, model };
}

/** What keeps models apart. The first one counts; each of the others is compared with it. */
function mismatches(parts: readonly RewardPart[]): string[] {
  const [first] = parts, problems: string[] = [];
  for (const { role, model } of parts) {
    if (model.headKind !== "lm") problems.push(`${role} is a critic, not a language model`);
  }
  for (const { role, tokenizerDigest: digest, model } of parts.slice(1)) {
    if (digest !== first!.tokenizerDigest) {
      problems.push(
        `${role} has another tokenizer than ${first!.role}: ${digest.slice(0, 12)}, not ${
          first!.tokenizerDigest.slice(0, 12)
        }`,
      );
    }
    if (model.vocabSize !== first!.model.vocabSize) {
      problems.push(
        `${role} has another vocabulary than ${first!.role}: ${model.vocabSize} tokens, not ${
          first!.model.vocabSize
        }`,
      );
    }
  }
  // The base may name another end (a chat model ends turns with its own): the models that answer must agree.
  const trained = parts.filter(({ role }) => role !== "base");
  const ends = ({ eosIds }: RewardPart) => [...eosIds].sort((a, b) => a - b).join(", ");
  const [model] = trained;
  if (model && model.eosIds.length === 0) {
    problems.push(`${model.role} names no end token, so nothing would be paid for ending`);
  }
  for (const other of trained.slice(1)) {
    if (ends(other) !== ends(model!)) {
      problems.push(
        `${other.role} ends with ${ends(other) || "nothing"}, ${model!.role} with ${
          ends(model!) || "nothing"
        }`,
      );
    }
  }
  return problems;
}

/** Equal bytes, or equal weights under a config that was written anew. */
function isSameModel(a: RewardPart, b: RewardPart): boolean {
  if (a.digest === b.digest) return true;
  const [x, y] = [a, b].map(({ path, digest }) => frozenNetwork(path, digest).parameters) as [
    ParameterVector,
    ParameterVector,
  ];
  return x.specs.length === y.specs.length &&
    x.specs.every(({ name }, i) => name === y.specs[i]!.name) &&
    x.data.length === y.data.length && x.data.every((value, i) => value === y.data[i]);
}

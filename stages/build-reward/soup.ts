/**
 * Averages the weights of several models (Wortsman et al. 2022, arXiv:2203.05482; of reward models: WARM, arXiv:2401.12187). The
 * result costs as much as one member. The mean of models that differ much is not a useful model: members must be trained from one
 * base, for a short time.
 * @module
 */
import type { LoadedModel } from "@/lib/model/models/checkpoint.ts";
import { adaptedModel, adapterSpecs } from "@/lib/model/models/lora/adapted_model.ts";
import { adapterNames } from "@/lib/model/models/lora/adapter.ts";
import type { Adapter } from "@/lib/model/models/model.ts";
import { ParameterVector } from "@/lib/model/models/parameters.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { sameShape } from "@/lib/compute/tensor/tensor.ts";

/** A model and its name in messages. */
export interface SoupMember extends LoadedModel {
  readonly role: string;
}

/**
 * Returns the mean of the models' weights, summed in float64 in their order. For adapters: one adapter of K times the rank, whose
 * product is the mean of their products. The factors cannot be averaged separately, as the mean of products is not the product of
 * means: A = [A₁; …; A_K] and B = [B₁ … B_K]/K give B·A = Σ B_k·A_k/K. The backbone stays shared.
 *
 * @param members at least two
 * @throws {DataError} listing members that cannot be averaged with the first: other parameters or shapes, an adapter and a
 *   plain model, another backbone, other maps, ranks or scales
 */
export function soupOf(members: readonly SoupMember[]): LoadedModel {
  const [first, ...others] = members as [SoupMember, ...SoupMember[]];
  const problems = others.flatMap((other) => {
    const problem = whyApart(first, other);
    return problem === undefined ? [] : [`${other.role} ${problem}`];
  });
  if (problems.length > 0) {
    throw new DataError(
      `combine=soup requires members with the same architecture as ${first.role}: ${problems.join("; ")}`,
    );
  }
  const { adapter } = first.model;
  return adapter ? joined(adapter, members) : averaged(members);
}

function averaged(members: readonly SoupMember[]): LoadedModel {
  const [{ model, parameters }] = members as [SoupMember];
  const mean = new ParameterVector(parameters.specs);
  for (let i = 0; i < mean.data.length; i++) {
    let sum = 0;
    for (const { parameters: { data } } of members) sum += data[i]!;
    mean.data[i] = sum / members.length;
  }
  return { model, parameters: mean };
}

function joined(adapter: Adapter, members: readonly SoupMember[]): LoadedModel {
  const count = members.length, { config } = adapter;
  // Keeps the scale s = α/r, or α/√r, with K times the rank.
  const alphaFactor = config.rankStabilised ? Math.sqrt(count) : count;
  const times = (pattern: Readonly<Record<string, number>>, factor: number) =>
    Object.fromEntries(Object.entries(pattern).map(([key, value]) => [key, value * factor]));
  const wide: Adapter = {
    ...adapter,
    config: {
      ...config,
      rank: config.rank * count,
      alpha: config.alpha * alphaFactor,
      rankPattern: times(config.rankPattern, count),
      alphaPattern: times(config.alphaPattern, alphaFactor),
    },
    maps: adapter.maps.map((map) => ({ ...map, rank: map.rank * count })),
  };
  const parameters = new ParameterVector(wide.maps.flatMap(adapterSpecs), {
    backbone: members[0]!.parameters.backbone,
  });
  for (const { module, inner, out, rank } of adapter.maps) {
    const names = adapterNames(module), a = parameters.view(names.a), b = parameters.view(names.b);
    members.forEach(({ parameters: own }, k) => {
      a.set(own.view(names.a), k * rank * inner);
      const ownB = own.view(names.b);
      for (let o = 0; o < out; o++) {
        for (let i = 0; i < rank; i++) {
          b[o * rank * count + k * rank + i] = ownB[o * rank + i]! / count;
        }
      }
    });
  }
  return { model: adaptedModel(wide), parameters };
}

/** Returns why a model cannot be averaged with the first one; undefined if it can. */
function whyApart(first: SoupMember, other: SoupMember): string | undefined {
  const [a, b] = [first.model.adapter, other.model.adapter];
  if (!a !== !b) return b ? "is an adapter" : "is not an adapter";
  if (a && b) {
    if (first.parameters.backbone !== other.parameters.backbone) return "has a different base";
    const kindOf = ({ maps }: Adapter) =>
      maps.map(({ module, rank, scale }) => `${module}:${rank}:${scale}`).join();
    if (kindOf(a) !== kindOf(b)) return "has different target modules, ranks or scales";
    return undefined;
  }
  if (first.model.modelType !== other.model.modelType) {
    return `has model_type ${other.model.modelType}, not ${first.model.modelType}`;
  }
  const shapes = new Map(first.parameters.specs.map(({ name, shape }) => [name, shape]));
  const apart = other.parameters.specs.filter(({ name, shape }) => {
    const known = shapes.get(name);
    return known === undefined || !sameShape(known, shape);
  }).map(({ name, shape }) => `${name} [${shape.join(",")}]`);
  if (apart.length > 0 || shapes.size !== other.parameters.specs.length) {
    return `has different parameters${
      apart.length > 0 ? `: ${listed(apart, { most: 3, separator: ", " })}` : ""
    }`;
  }
  return undefined;
}

/**
 * One model whose weights are the mean of several (Wortsman et al. 2022, arXiv:2203.05482; of reward models: WARM,
 * arXiv:2401.12187). It costs what one member costs. Models that went apart have no mean that means something: members must
 * come from one base, trained for a short time.
 * @module
 */
import type { LoadedModel } from "@/lib/models/checkpoint.ts";
import { adaptedModel, adapterSpecs } from "@/lib/models/lora/adapted_model.ts";
import { adapterNames } from "@/lib/models/lora/adapter.ts";
import type { Adapter } from "@/lib/models/model.ts";
import { ParameterVector } from "@/lib/models/parameters.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { sameShape } from "@/lib/tensor/tensor.ts";

/** A model and what messages call it. */
export interface SoupMember extends LoadedModel {
  readonly role: string;
}

/**
 * The mean of the models' weights, summed in float64 in their order. Of adapters: one adapter that adds the mean of what they
 * add, of K times the rank. The factors cannot be averaged one by one, as the mean of products is not the product of means:
 * A = [A₁; …; A_K] and B = [B₁ … B_K]/K give B·A = Σ B_k·A_k/K. The backbone stays shared.
 *
 * @param members at least two
 * @throws {DataError} listing members that cannot be averaged with the first: other parameters or shapes, an adapter beside a
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
      `Cannot average the weights of the members as all must be of one kind with ${first.role}: ${
        problems.join("; ")
      }`,
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
  // s = α/r, or α/√r: with K times the rank it stays what it was.
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

/** What keeps a model from being averaged with another; undefined where nothing does. */
function whyApart(first: SoupMember, other: SoupMember): string | undefined {
  const [a, b] = [first.model.adapter, other.model.adapter];
  if (!a !== !b) return b ? "is an adapter" : "is no adapter";
  if (a && b) {
    if (first.parameters.backbone !== other.parameters.backbone) return "stands on another base";
    const kindOf = ({ maps }: Adapter) =>
      maps.map(({ module, rank, scale }) => `${module}:${rank}:${scale}`).join();
    if (kindOf(a) !== kindOf(b)) return "adapts other maps, or by another rank or scale";
    return undefined;
  }
  if (first.model.modelType !== other.model.modelType) {
    return `is of type ${other.model.modelType}, not ${first.model.modelType}`;
  }
  const shapes = new Map(first.parameters.specs.map(({ name, shape }) => [name, shape]));
  const apart = other.parameters.specs.filter(({ name, shape }) => {
    const known = shapes.get(name);
    return known === undefined || !sameShape(known, shape);
  }).map(({ name, shape }) => `${name} [${shape.join(",")}]`);
  if (apart.length > 0 || shapes.size !== other.parameters.specs.length) {
    const more = apart.length > 3 ? ` and ${apart.length - 3} more` : "";
    return `has other parameters${apart.length > 0 ? `: ${apart.slice(0, 3).join(", ")}${more}` : ""}`;
  }
  return undefined;
}

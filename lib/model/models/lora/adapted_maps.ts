/** The linear maps of a model that an adapter's config selects, by the rules of PEFT. @module */
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { isMap, mapSizes } from "../affine.ts";
import type { Model, ParameterSpec } from "../model.ts";
import type { AdaptedMap, LoraConfig } from "./adapter.ts";
import { append } from "@/lib/compute/tensor/large_lists.ts";

/** PEFT's name for all linear maps but the output. */
const ALL = "all-linear";

interface NamedMap {
  readonly layer: number;
  readonly local: string;
  readonly module: string;
  readonly spec: ParameterSpec;
}

/**
 * Returns the maps that `config` adapts, in the order of the layers.
 * @param source file or parameter that selects the maps, for messages
 * @throws {DataError} listing targets that match no linear map of a block, invalid patterns, and maps with another layout
 *   than in the config
 */
export function adaptedMaps(model: Model, config: LoraConfig, source: string): AdaptedMap[] {
  const all = model.blocks.flatMap(({ parameters }, layer) =>
    Object.entries(parameters).filter(([, spec]) => isMap(spec)).map(([local, spec]): NamedMap => ({
      layer,
      local,
      module: moduleOf(spec),
      spec,
    }))
  );
  const problems = missingTargets(all, model, config);
  const layers = config.layers;
  const outside = layers?.filter((layer) => layer >= model.blocks.length) ?? [];
  if (outside.length > 0) {
    problems.push(`layers_to_transform must be below ${model.blocks.length}, got ${outside.join(", ")}`);
  }
  if (layers && typeof config.targets === "string") {
    problems.push("layers_to_transform requires a list target_modules");
  }
  const patterns = [...Object.keys(config.rankPattern), ...Object.keys(config.alphaPattern)];
  const invalid = patterns.filter((key) => !compiled(endPattern(key)));
  append(problems, invalid.map((key) => `rank_pattern or alpha_pattern: ${key} is not a regular expression`));
  if (problems.length > 0) reject(source, problems);

  const isTarget = matcher(config.targets), isExcluded = matcher(config.excluded);
  // A target that is a whole path is used in any layer.
  const isInLayers = ({ module, layer }: NamedMap) =>
    layers === null || layers.includes(layer) || config.targets.includes(module);
  const chosen = all.filter((map) => isTarget(map.module) && !isExcluded(map.module) && isInLayers(map));
  if (chosen.length === 0) problems.push("no linear layer is selected");
  const { transposed } = config;
  if (transposed !== null && chosen.some(({ spec }) => (spec.transposed === true) !== transposed)) {
    const layout = transposed ? "[out, in]" : "[in, out]";
    problems.push(
      `fan_in_fan_out must be ${!transposed}: weights of ${model.modelType} are stored ${layout}`,
    );
  }
  if (problems.length > 0) reject(source, problems);
  return chosen.map(({ spec, ...map }) => {
    const rank = byPattern(config.rankPattern, map.module) ?? config.rank;
    const alpha = byPattern(config.alphaPattern, map.module) ?? config.alpha;
    return {
      ...map,
      ...mapSizes(spec),
      rank,
      scale: alpha / (config.rankStabilised ? Math.sqrt(rank) : rank),
    };
  });
}

/** Returns problems of targets that match no map of a block, or another part of the model. */
function missingTargets(all: readonly NamedMap[], model: Model, { targets, excluded }: LoraConfig): string[] {
  const problems: string[] = [];
  for (const [field, pattern] of [["target_modules", targets], ["exclude_modules", excluded]] as const) {
    if (typeof pattern === "string" && pattern.toLowerCase() !== ALL && !compiled(wholePattern(pattern))) {
      problems.push(`${field}: ${pattern} is not a regular expression`);
    }
  }
  if (problems.length > 0) return problems;
  const tried = typeof targets === "string" ? [targets] : targets;
  const absent = tried.filter((target) => {
    const isNamed = matcher(typeof targets === "string" ? target : [target]);
    return !all.some(({ module }) => isNamed(module));
  });
  if (absent.length > 0) {
    const locals = [...new Set(all.map(({ module }) => module.split(".").at(-1)!))];
    problems.push(`target_modules must be among ${locals.join(", ")}, got ${absent.join(", ")}`);
  }
  const others = [...model.embeddings.map(({ parameter }) => parameter), model.head.output!].map(moduleOf);
  const isTarget = matcher(targets), isExcluded = matcher(excluded);
  const outsideBlocks = typeof targets === "string" && targets.toLowerCase() === ALL
    ? []
    : others.filter((module) => isTarget(module) && !isExcluded(module));
  if (outsideBlocks.length > 0) {
    problems.push(
      `target_modules must match linear layers of blocks only, got ${[...new Set(outsideBlocks)].join(", ")}`,
    );
  }
  return problems;
}

function moduleOf({ name }: ParameterSpec): string {
  return name.replace(/\.weight$/, "");
}

/** PEFT's `check_target_module_exists`: a list contains ends of paths, a text is an expression for the whole path. */
function matcher(targets: readonly string[] | string): (module: string) => boolean {
  if (typeof targets !== "string") {
    return (module) => targets.some((target) => module === target || module.endsWith(`.${target}`));
  }
  if (targets.toLowerCase() === ALL) return () => true;
  const expression = compiled(wholePattern(targets))!;
  return (module) => targets !== "" && expression.test(module);
}

/** PEFT's `get_pattern_key`: the first key that matches the whole path or an end of it after a dot. */
function byPattern(patterns: Readonly<Record<string, number>>, module: string): number | undefined {
  return Object.entries(patterns).find(([key]) => compiled(endPattern(key))!.test(module))?.[1];
}

const wholePattern = (text: string) => `^(?:${text})$`;
const endPattern = (key: string) => `^(?:.*\\.)?(?:${key})$`;

function compiled(source: string): RegExp | undefined {
  try {
    return new RegExp(source);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // Python's syntax has more
    throw error;
  }
}

function reject(source: string, problems: readonly string[]): never {
  throw new DataError(`${source}: ${problems.join("; ")}`);
}

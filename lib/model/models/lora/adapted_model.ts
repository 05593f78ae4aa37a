/** A model with low-rank additions as a `Model`: blocks with more parameters, and scales as constants. @module */
import { lowRankNames } from "../affine.ts";
import type { Adapter, Block, Model, ParameterSpec, PartParameters } from "../model.ts";
import { type AdaptedMap, adapterNames } from "./adapter.ts";

/** Returns A and B of a map as parameters of a checkpoint. */
export function adapterSpecs(
  { module, inner, out, rank }: AdaptedMap,
): readonly [ParameterSpec, ParameterSpec] {
  const { a, b } = adapterNames(module);
  return [{ name: a, shape: [rank, inner] }, { name: b, shape: [out, rank] }];
}

/** Returns the base with the adapter's additions. Blocks whose ranks or scales differ do not share graphs. */
export function adaptedModel(adapter: Adapter): Model {
  const { base, maps } = adapter;
  const scalesByKind = new Map<string, Readonly<Record<string, number>>>();
  const blocks = base.blocks.map((block, layer): Block => {
    const adapted = maps.filter((map) => map.layer === layer);
    if (adapted.length === 0) return block;
    const additions: Record<string, PartParameters[string]> = {}, scales: Record<string, number> = {};
    for (const map of adapted) {
      const names = lowRankNames(map.local), [a, b] = adapterSpecs(map);
      Object.assign(additions, { [names.a]: a, [names.b]: b });
      scales[names.scale] = map.scale;
    }
    const described = adapted.map(({ local, rank, scale }) => `${local}:${rank}:${scale}`).join();
    const kind = `${block.kind}+lora(${described})`;
    scalesByKind.set(kind, scales);
    return { ...block, kind, parameters: { ...block.parameters, ...additions } };
  });
  return {
    ...base,
    adapter,
    blocks,
    applyBlock(block, parameters, x, context) {
      const scales = Object.entries(scalesByKind.get(block.kind) ?? {})
        .map(([name, scale]) => [name, x.trace.scalar(scale, x.dtype)] as const);
      return base.applyBlock(block, { ...parameters, ...Object.fromEntries(scales) }, x, context);
    },
  };
}

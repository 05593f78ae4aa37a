/** Merging an adapter into the weights of its base. @module */
import type { LoadedModel } from "../plain_checkpoint.ts";
import { ParameterVector } from "../parameters.ts";
import { adapterNames } from "./adapter.ts";

/**
 * Returns the same function without an adapter: W + s·B·A for every adapted map. The other weights are those of the
 * backbone, not copied, so the model must not be trained. A model without an adapter is returned unchanged.
 */
export function mergedModel(loaded: LoadedModel): LoadedModel {
  const { model: { adapter }, parameters } = loaded;
  if (!adapter) return loaded;
  const specs = new Map(
    adapter.base.blocks.flatMap((block) => Object.values(block.parameters)).map((spec) => [spec.name, spec]),
  );
  const changed = adapter.maps.map(({ module }) => specs.get(`${module}.weight`)!);
  const merged = new ParameterVector(changed, { backbone: parameters.backbone });
  adapter.maps.forEach(({ module, inner, out, rank, scale }, i) => {
    const { name, transposed } = changed[i]!, { a, b } = adapterNames(module);
    const weights = parameters.view(name), A = parameters.view(a), B = parameters.view(b);
    const target = merged.view(name), row = new Float64Array(inner);
    for (let o = 0; o < out; o++) {
      row.fill(0); // row o of B·A
      for (let k = 0; k < rank; k++) {
        const factor = B[o * rank + k]!, from = k * inner;
        for (let i = 0; i < inner; i++) row[i] = row[i]! + factor * A[from + i]!;
      }
      for (let i = 0; i < inner; i++) {
        const at = transposed ? i * out + o : o * inner + i;
        target[at] = weights[at]! + scale * row[i]!;
      }
    }
  });
  return { model: adapter.base, parameters: merged };
}

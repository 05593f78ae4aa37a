/**
 * Rotary position embedding (Su et al. 2021, arXiv:2104.09864, eq. 34), in the layout of Hugging Face: the first half of
 * the rotated dimensions pairs with the second half; dimensions that are not rotated come last.
 * @module
 */
import { definePrimitive, requireShape } from "../primitive.ts";
import type { Value } from "../value.ts";
import { neg } from "./arithmetic.ts";

/** The primitive of `rope()`. */
export const ropePrimitive = definePrimitive<object>({
  name: "rope",
  abstractEval([x, positions, cos, sin]) {
    const fits = x!.shape.length === 4 && positions!.shape.length === 2 && positions!.dtype === "i64" &&
      positions!.shape[0] === x!.shape[0] && positions!.shape[1] === x!.shape[2] &&
      cos!.shape[1]! * 2 <= x!.shape[3]! && cos!.shape.join() === sin!.shape.join();
    requireShape(
      fits,
      "rope",
      "inputs must be x[B,H,T,D], i64[B,T] positions and cos, sin [P,R/2] with R ≤ D",
      [
        x!,
        positions!,
        cos!,
        sin!,
      ],
    );
    return [{ dtype: x!.dtype, shape: x!.shape }];
  },
  // A rotation: its transpose rotates back, which is the same operator with −sin.
  vjp: ({ inputs: [, positions, cos, sin], cotangents: [g] }) => [
    rope(g!, positions!, cos!, neg(sin!)),
    undefined,
    undefined,
    undefined,
  ],
  lower({ node, inputs, inputTypes: [x, , cosType], ints, temporary }) {
    const half = cosType!.shape[1]!, rotated = half * 2, isPartial = rotated < x!.shape[3]!;
    if (x!.dtype !== "f64") {
      // For partial rotation the kernel needs the number of heads.
      const partial = isPartial ? { rotary_embedding_dim: rotated, num_heads: x!.shape[1]! } : {};
      return node("RotaryEmbedding", inputs, { interleaved: 0, ...partial }, { domain: "com.microsoft" });
    }
    // No f64 kernel: [a, b] → [a·cos − b·sin, b·cos + a·sin], with cos and sin looked up as [B,1,T,R/2].
    const lookup = (table: string) => {
      const [gathered, four] = [temporary(), temporary()];
      node("Gather", [table, inputs[1]!], { axis: 0 }, { outputs: [gathered] });
      node("Unsqueeze", [gathered, ints([1])], {}, { outputs: [four] });
      return four;
    };
    const binary = (op: string, a: string, b: string) => {
      const out = temporary();
      node(op, [a, b], {}, { outputs: [out] });
      return out;
    };
    const part = (start: number, end = start + half) => {
      const out = temporary();
      node("Slice", [inputs[0]!, ints([start]), ints([end]), ints([3])], {}, { outputs: [out] });
      return out;
    };
    const [cos, sin, a, b] = [lookup(inputs[2]!), lookup(inputs[3]!), part(0), part(half)];
    node("Concat", [
      binary("Sub", binary("Mul", a, cos), binary("Mul", b, sin)),
      binary("Add", binary("Mul", b, cos), binary("Mul", a, sin)),
      ...(isPartial ? [part(rotated, x!.shape[3]!)] : []),
    ], { axis: 3 });
  },
});

/**
 * The first R dimensions of x[B,H,T,D] rotated by the angles of positions[B,T]; cos, sin [P,R/2] are tables by position.
 * They get no gradient.
 */
export function rope(x: Value, positions: Value, cos: Value, sin: Value): Value {
  return x.trace.bind(ropePrimitive, [x, positions, cos, sin], {})[0]!;
}

/** Matrix products with optional transposes and a factor: alpha · op(a) · op(b), over equal batch dimensions. @module */
import { definePrimitive, requireShape } from "../primitive.ts";
import type { Value } from "../value.ts";
import { sameShape } from "@/lib/compute/tensor/tensor.ts";

interface MatmulParams {
  readonly transA: boolean;
  readonly transB: boolean;
  readonly alpha: number;
}

/** The primitive of `matmul()`. */
export const matmulPrimitive = definePrimitive<MatmulParams>({
  name: "matmul",
  abstractEval([a, b], { transA, transB }) {
    const rank = a!.shape.length;
    const [m, k] = transA
      ? [a!.shape[rank - 1]!, a!.shape[rank - 2]!]
      : [a!.shape[rank - 2]!, a!.shape[rank - 1]!];
    const [k2, n] = transB
      ? [b!.shape[rank - 1]!, b!.shape[rank - 2]!]
      : [b!.shape[rank - 2]!, b!.shape[rank - 1]!];
    const fits = rank >= 2 && b!.shape.length === rank && k === k2 &&
      sameShape(a!.shape.slice(0, -2), b!.shape.slice(0, -2));
    requireShape(
      fits,
      "matmul",
      `inner and batch dimensions must match (transA ${transA}, transB ${transB})`,
      [a!, b!],
    );
    return [{ dtype: a!.dtype, shape: [...a!.shape.slice(0, -2), m, n] }];
  },
  // y = α·A·B: dA = α·g·Bᵀ, dB = α·Aᵀ·g; with A or B transposed, the transposes of these.
  vjp({ inputs: [a, b], cotangents: [g], params: { transA, transB, alpha } }) {
    return [
      transA
        ? matmul(b!, g!, { transA: transB, transB: true, alpha })
        : matmul(g!, b!, { transA: false, transB: !transB, alpha }),
      transB
        ? matmul(g!, a!, { transA: true, transB: transA, alpha })
        : matmul(a!, g!, { transA: !transA, transB: false, alpha }),
    ];
  },
  lower({ node, inputs, inputTypes, outputTypes: [y], temporary, params: { transA, transB, alpha } }) {
    if (!transA && !transB && alpha === 1) return node("MatMul", inputs);
    const fused = "com.microsoft", factor = { alpha: { float: alpha } };
    const [m, n] = y!.shape.slice(-2) as [number, number], rank = inputTypes[0]!.shape.length;
    if (transA && !transB && rank > 2 && n <= NARROW && n * 4 <= m) {
      // aᵀ·b = (bᵀ·a)ᵀ: the kernel copies the transposed operand, and b is the smaller one. Measured: 1.5 times as fast.
      const transposed = temporary();
      node("FusedMatMul", [inputs[1]!, inputs[0]!], { transA: 1, transB: 0, ...factor }, {
        domain: fused,
        outputs: [transposed],
      });
      return node("Transpose", [transposed], { perm: [...Array(rank - 2).keys(), rank - 1, rank - 2] });
    }
    node("FusedMatMul", inputs, { transA: Number(transA), transB: Number(transB), ...factor }, {
      domain: fused,
    });
  },
});

/** Largest number of columns for which a product with a transposed left operand is computed as (bᵀ·a)ᵀ. */
const NARROW = 16;

/** alpha · op(a) · op(b): [.., m, k] · [.., k, n] → [.., m, n]; op transposes the last two axes if `transA` or `transB` is set. */
export function matmul(a: Value, b: Value, options: Partial<MatmulParams> = {}): Value {
  const { transA = false, transB = false, alpha = 1 } = options;
  return a.trace.bind(matmulPrimitive, [a, b], { transA, transB, alpha })[0]!;
}

/** x[N, in] · Wᵀ → [N, out], for a weight W[out, in] as Hugging Face stores it. */
export function linear(x: Value, weight: Value): Value {
  return matmul(x, weight, { transB: true });
}

/** Matrix products with optional transposes and a factor: alpha · op(a) · op(b), over equal batch dimensions. @module */
import { definePrimitive, type Lowering, requireShape } from "../primitive.ts";
import type { Value } from "../value.ts";
import type { DType } from "@/lib/compute/tensor/dtype.ts";
import { hostTensor, sameShape } from "@/lib/compute/tensor/tensor.ts";

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
  lower(lowering) {
    const { node, inputs, inputTypes, outputs, outputTypes: [y], temporary, params } = lowering;
    const { transA, transB, alpha } = params, { dtype } = y!;
    if (!transA && !transB && alpha === 1) return node("MatMul", inputs);
    const [m, n] = y!.shape.slice(-2) as [number, number], rank = inputTypes[0]!.shape.length;
    if (transA && !transB && rank > 2 && n <= NARROW && n * 4 <= m) {
      // aᵀ·b = (bᵀ·a)ᵀ: the kernel copies the transposed operand, and b is the smaller one. Measured: 1.5 times as fast.
      const transposed = temporary();
      const how = { transA: true, transB: false, alpha, rank, dtype };
      addMatmul(lowering, [inputs[1]!, inputs[0]!], transposed, how);
      return node("Transpose", [transposed], { perm: lastTwoSwapped(rank) });
    }
    addMatmul(lowering, inputs, outputs[0]!, { ...params, rank, dtype });
  },
});

function lastTwoSwapped(rank: number): number[] {
  return [...Array(rank - 2).keys(), rank - 1, rank - 2];
}

/**
 * Adds the nodes of alpha · op(a) · op(b): one FusedMatMul. On devices without it one Gemm for matrices, and for batches
 * of them transposes, a product, and a pass over it for the factor.
 */
export function addMatmul(
  { node, has, temporary, constant }: Pick<Lowering<unknown>, "node" | "has" | "temporary" | "constant">,
  [a, b]: readonly string[],
  output: string,
  { transA, transB, alpha, rank, dtype }: MatmulParams & { readonly rank: number; readonly dtype: DType },
): void {
  const outputs = [output], factor = { alpha: { float: alpha } };
  const transposes = { transA: Number(transA), transB: Number(transB) };
  if (has("FusedMatMul")) {
    return node("FusedMatMul", [a!, b!], { ...transposes, ...factor }, { domain: "com.microsoft", outputs });
  }
  if (rank === 2) return node("Gemm", [a!, b!], { ...transposes, ...factor }, { outputs });
  const operand = (name: string, isTransposed: boolean) => {
    if (!isTransposed) return name;
    const transposed = temporary();
    node("Transpose", [name], { perm: lastTwoSwapped(rank) }, { outputs: [transposed] });
    return transposed;
  };
  const operands = [operand(a!, transA), operand(b!, transB)];
  if (alpha === 1) return node("MatMul", operands, {}, { outputs });
  const product = temporary();
  node("MatMul", operands, {}, { outputs: [product] });
  node("Mul", [product, constant(hostTensor(dtype, [], Float32Array.of(alpha)))], {}, { outputs });
}

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

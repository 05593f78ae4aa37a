/**
 * Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762, eq. 1) as one primitive, because its gradient has
 * a cheaper form than the gradients of its parts.
 * @module
 */
import { definePrimitive, requireShape } from "../primitive.ts";
import type { Value } from "../value.ts";
import { add, mul, sub } from "./arithmetic.ts";
import { addMatmul, matmul } from "./matmul.ts";
import { reduceSum } from "./reduce_sum.ts";

/** The primitive of `attention()`. */
export const attentionPrimitive = definePrimitive<{ scale: number }>({
  name: "attention",
  abstractEval([q, k, v, mask]) {
    const [batch, rows, dim] = q!.shape, length = k!.shape[1];
    const fits = q!.shape.length === 3 && k!.shape.join() === [batch, length, dim].join() &&
      v!.shape[0] === batch && v!.shape[1] === length && mask!.shape.join() === [rows, length].join();
    requireShape(fits, "attention", "inputs must be q[N,R,D], k[N,T,D], v[N,T,E], mask[R,T]", [
      q!,
      k!,
      v!,
      mask!,
    ]);
    return [
      { dtype: q!.dtype, shape: [batch!, rows!, v!.shape[2]!] },
      { dtype: q!.dtype, shape: [batch!, rows!, length!] },
    ];
  },
  // S = αqkᵀ + mask, P = softmax S, o = Pv. With g for o: dv = Pᵀg, dP = gvᵀ, dS = P ∘ (dP − Σ_t P∘dP), and
  // Σ_t P∘dP = Σ_e g∘o (Dao et al. 2022, arXiv:2205.14135, appendix B.2): a sum over E instead of one over T.
  vjp({ inputs: [q, k, v], outputs: [o, p], cotangents: [g, gP], params: { scale } }) {
    let dp = g && matmul(g, v!, { transB: true });
    let inner = g && reduceSum(mul(g, o!), [-1], { keepDims: true });
    if (gP) { // the probabilities are an output too: second derivatives meet their cotangent
      const fromProbabilities = reduceSum(mul(gP, p!), [-1], { keepDims: true });
      dp = dp ? add(dp, gP) : gP;
      inner = inner ? add(inner, fromProbabilities) : fromProbabilities;
    }
    const ds = mul(p!, sub(dp!, inner!));
    return [
      matmul(ds, k!, { alpha: scale }),
      matmul(ds, q!, { transA: true, alpha: scale }),
      g && matmul(p!, g, { transA: true }),
      reduceSum(ds, [0]),
    ];
  },
  lower(lowering) {
    const { node, inputs: [q, k, v, mask], outputs: [o, p], params: { scale }, temporary } = lowering;
    const [scores, masked] = [temporary(), temporary()];
    const rank = lowering.inputTypes[0]!.shape.length, dtype = lowering.inputTypes[0]!.dtype;
    addMatmul(lowering, [q!, k!], scores, { transA: false, transB: true, alpha: scale, rank, dtype });
    node("Add", [scores, mask!], {}, { outputs: [masked] });
    node("Softmax", [masked], { axis: -1 }, { outputs: [p!] });
    node("MatMul", [p!, v!], {}, { outputs: [o!] });
  },
});

/**
 * softmax(scale · q·kᵀ + mask) · v.
 * @param q [N,R,D] @param k [N,T,D] @param v [N,T,E] @param mask [R,T], added to the scores
 * @returns [N,R,E]
 */
export function attention(q: Value, k: Value, v: Value, mask: Value, scale: number): Value {
  return q.trace.bind(attentionPrimitive, [q, k, v, mask], { scale })[0]!;
}

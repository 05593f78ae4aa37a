/**
 * Log-probabilities of given tokens under logits: log-softmax and selection as one primitive, because its backward is
 * three passes over [N,V] instead of six.
 * @module
 */
import { definePrimitive, requireShape } from "../primitive.ts";
import type { Value } from "../value.ts";
import { add, mul, neg, sub } from "./arithmetic.ts";
import { scatterAddLast } from "./scatter_add_last.ts";
import { reduceSum } from "./reduce_sum.ts";
import { reshape } from "./shape.ts";
import { exp } from "./unary.ts";

/** The primitive of `tokenLogprob()`. */
export const tokenLogprobPrimitive = definePrimitive<object>({
  name: "tokenLogprob",
  abstractEval([logits, ids]) {
    const fits = logits!.shape.length === 2 && ids!.shape.length === 2 && ids!.shape[1] === 1 &&
      ids!.shape[0] === logits!.shape[0] && ids!.dtype === "i64";
    requireShape(fits, "tokenLogprob", "inputs must be logits[N,V] and i64[N,1] ids", [logits!, ids!]);
    return [
      { dtype: logits!.dtype, shape: [logits!.shape[0]!, 1] },
      { dtype: logits!.dtype, shape: logits!.shape },
    ];
  },
  // ℓ = logits − ln Σ e^logits; selected s = ℓ[id]. dlogits = g_s·(onehot(id) − eℓ) + g_ℓ − eℓ·Σ g_ℓ
  vjp({ inputs: [, ids], outputs: [, all], cotangents: [gSelected, gAll] }) {
    const p = exp(all!);
    let fromAll: Value | undefined;
    if (gAll) fromAll = sub(gAll, mul(p, reduceSum(gAll, [-1], { keepDims: true })));
    if (!gSelected) return [fromAll, undefined];
    const fromSelected = scatterAddLast(mul(p, neg(gSelected)), ids!, gSelected);
    return [fromAll ? add(fromSelected, fromAll) : fromSelected, undefined];
  },
  lower({ node, has, temporary, ints, inputs: [logits, ids], outputs: [selected, all] }) {
    const step = (op: string, operands: readonly string[], output = temporary()) => {
      node(op, operands, op.startsWith("Reduce") ? { keepdims: 1 } : {}, { outputs: [output] });
      return output;
    };
    if (has("LogSoftmax")) node("LogSoftmax", [logits!], { axis: -1 }, { outputs: [all!] });
    else { // x − m − ln Σ e^(x − m), with m the largest
      const shifted = step("Sub", [logits!, step("ReduceMax", [logits!, ints([-1])])]);
      step("Sub", [shifted, step("Log", [step("ReduceSum", [step("Exp", [shifted]), ints([-1])])])], all!);
    }
    node("GatherElements", [all!, ids!], { axis: 1 }, { outputs: [selected!] });
  },
});

/** Log-probabilities of `ids`[N] and of all tokens under softmax(logits[N,V]): { selected [N], all [N,V] }, in nats. */
export function tokenLogprob(logits: Value, ids: Value): { selected: Value; all: Value } {
  const column = reshape(ids, [ids.shape[0]!, 1]);
  const [selected, all] = logits.trace.bind(tokenLogprobPrimitive, [logits, column], {});
  return { selected: reshape(selected!, ids.shape), all: all! };
}

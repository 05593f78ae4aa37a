/** Zeros on a device, by a graph: nothing crosses. @module */
import { broadcastTo, Trace } from "@/lib/compute/autodiff/mod.ts";
import type { Place } from "@/lib/compute/ort/place.ts";
import type { PreparedRun } from "@/lib/compute/ort/session.ts";
import { type Tensor, TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import type { Shape } from "@/lib/compute/tensor/tensor.ts";
import { CompiledGraph } from "./compiled_graph.ts";
import { cached } from "./graph_cache.ts";

/** A zero on each device. */
const zeros = new WeakMap<Place, Tensor>();

function zeroOf(place: Place): Tensor {
  const zero = zeros.get(place) ?? place.zeros("f32", [1]);
  zeros.set(place, zero);
  return zero;
}

/**
 * Prepares the filling of an f32 tensor with zeros. Not by a product with 0, so that a number that is not finite becomes
 * zero too.
 */
export function zeroing(place: Place, tensor: Tensor): PreparedRun {
  const { shape } = tensor;
  const graph = cached(`${place.key}zero/${shape.join("x")}`, () => {
    const zero = new Trace().input("zero", "f32", [1]);
    const bounds = { name: "zero", inputs: [zero], outputs: { zeros: broadcastTo(zero, shape) } };
    return new CompiledGraph(bounds, { place });
  });
  return graph.prepare({ zero: zeroOf(place) }, { zeros: tensor });
}

/** Returns an f32 tensor of zeros. */
export function zerosAt(place: Place, shape: Shape): Tensor {
  if (place.isHost) return TensorValue.zeros("f32", shape);
  const tensor = place.empty("f32", shape);
  zeroing(place, tensor).run();
  return tensor;
}

/** Exponential moving average of weights, where the weights are. @module */
import { add, mul, Trace } from "@/lib/compute/autodiff/mod.ts";
import type { ParameterVector } from "@/lib/model/models/parameters.ts";
import { CompiledGraph } from "./compiled_graph.ts";
import { cached } from "./graph_cache.ts";
import { PlacedVector } from "./placed_vector.ts";

/** A moving average of a network's own weights; for an adapter its weights, not the backbone's. */
export class MovingAverage {
  readonly #placed: PlacedVector;

  /** @param host the average in the processor's memory, from which it begins; on a device it is current after `pull()` */
  constructor(readonly host: ParameterVector, readonly weights: PlacedVector) {
    this.#placed = new PlacedVector(weights.place, host);
  }

  /**
   * average ← decay · average + (1 − decay) · weights, in place.
   *
   * Source: Polyak & Juditsky 1992; for PPO: OpenRLHF `--ema_beta`, DeepSpeed-Chat. Without bias correction: the average
   * begins as the policy.
   */
  update(decay: number): void {
    const { place } = this.weights;
    if (place.isHost) {
      const to = this.host.data, from = this.weights.host.data;
      for (let i = 0; i < to.length; i++) to[i] = decay * to[i]! + (1 - decay) * from[i]!;
      return;
    }
    for (const { name, shape } of this.host.specs) {
      const graph = cached(`${place.key}ema/${shape.join("x")}/${decay}`, () => {
        const trace = new Trace(), average = trace.input("average", "f32", shape);
        const next = add(mul(average, decay), mul(trace.input("weights", "f32", shape), 1 - decay));
        return new CompiledGraph({ name: "ema", inputs: trace.inputs, outputs: { next } }, { place });
      });
      const average = this.#placed.value(name);
      graph.prepare({ average, weights: this.weights.value(name) }, { next: average }).run();
    }
  }

  /** Releases the device's memory. */
  [Symbol.dispose](): void {
    this.#placed[Symbol.dispose]();
  }

  /** Copies the average from the device to `host`. */
  pull(): void {
    this.#placed.pull();
  }
}

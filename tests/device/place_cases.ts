/** What every place must do: copies, views, updates in place, and its own account of memory and traffic. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { add, mul, Trace } from "@/lib/compute/autodiff/mod.ts";
import type { Place } from "@/lib/compute/ort/place.ts";
import { f32 } from "@/lib/compute/tensor/tensor.ts";
import { CompiledGraph } from "@/lib/model/train/compiled_graph.ts";

/** Checks copies, views of the first elements, an update in place, and the refusal of views that a device does not have. */
export function checkPlace(place: Place): void {
  const trace = new Trace(), a = trace.input("a", "f32", [4]), b = trace.input("b", "f32", [4]);
  const sum = new CompiledGraph({ inputs: [a, b], outputs: { y: add(a, mul(b, 2)) } }, { place });
  const before = place.traffic(), held = place.memory().used;
  const whole = place.upload(f32([8], [1, 2, 3, 4, 5, 6, 7, 8])), ones = place.upload(f32([4], [1, 1, 1, 1]));
  assertEquals(place.memory().used - held, 48);
  const first = place.view(whole, 0, [4]);
  sum.prepare({ a: first, b: ones }, { y: first }).run();
  assertEquals([...place.download(whole).data], [3, 4, 5, 6, 5, 6, 7, 8]);
  assertEquals([...place.download(place.view(whole, 0, [2, 4])).data], [3, 4, 5, 6, 5, 6, 7, 8]);
  assertEquals(place.traffic().uploaded - before.uploaded, 48);
  assertEquals(place.traffic().downloaded - before.downloaded, 64);
  if (!place.provider.offsets) {
    assertThrows(() => place.view(whole, 4, [4]), RangeError, "must begin at element 0");
  }
  whole[Symbol.dispose]();
  ones[Symbol.dispose]();
  assertEquals(place.memory().used, held);
}

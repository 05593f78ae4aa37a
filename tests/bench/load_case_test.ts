import { assert, assertEquals } from "@std/assert";
import { parametersOf } from "@/lib/model/models/model.ts";
import { sizeOf } from "@/lib/compute/tensor/tensor.ts";
import { benchLoad, LOAD_SHAPES } from "./load_case.ts";
import { benchModel, SHAPES } from "./shapes.ts";

Deno.test("a random bfloat16 checkpoint loads in a separate process, whose time and memory are measured", async () => {
  const result = await benchLoad("quickstart", SHAPES.quickstart);
  assertEquals([result.shape, result.weight_bytes], ["quickstart", 4 * result.parameters]);
  assert(result.seconds > 0 && result.peak_bytes >= result.start_bytes && result.start_bytes > 0);
});

Deno.test("the shapes have the parameters that their names say", () => {
  const millions = Object.values(LOAD_SHAPES).map((shape) =>
    Math.round(parametersOf(benchModel(shape, 64)).reduce((sum, { shape }) => sum + sizeOf(shape), 0) / 1e6)
  );
  assertEquals(millions, [135, 494]);
});

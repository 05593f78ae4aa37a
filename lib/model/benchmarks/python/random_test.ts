/** Compares the Mersenne Twister with numbers of Python 3.11's `random`. @module */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { PythonRandom } from "./random.ts";

// python3 -c 'import random; r=random.Random(S); print(...)'
Deno.test("numbers, samples and shuffles are those of Python's random", () => {
  const zero = new PythonRandom(0);
  assertEquals([zero.random(), zero.random()], [0.8444218515250481, 0.7579544029403025]);
  assertEquals(new PythonRandom(1234).samplePositions(7473, 5), [6374, 3610, 957, 61, 742]);
  assertEquals(new PythonRandom(1).samplePositions(10, 4), [2, 1, 4, 0]);
  assertEquals(new PythonRandom(0).shuffled([0, 1, 2, 3]), [2, 0, 1, 3]);
  const gauss = new PythonRandom(0);
  assertAlmostEquals(gauss.gauss(), 0.9417154046806644, 1e-15);
  assertAlmostEquals(gauss.gauss(), -1.3965781047011498, 1e-15);
});

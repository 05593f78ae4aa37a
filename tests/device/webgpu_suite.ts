/**
 * What `deno task test:webgpu` runs beside all goldens: every stage against the processor, and a small pipeline that is
 * killed and resumed. It takes minutes with a software driver, so it is no part of the ordinary test.
 */
import { assert, assertEquals } from "@std/assert";
import { goldenEquations, wrongKernels } from "@/lib/compute/devices/conformance.ts";
import { openDevice } from "@/lib/compute/devices/devices.ts";
import { Place } from "@/lib/compute/ort/place.ts";
import { WEBGPU } from "@/lib/compute/ort/provider.ts";
import { interrupt, startBare } from "@/tests/e2e/interrupted.ts";
import { SmallQuickstart } from "@/tests/e2e/small_quickstart.ts";
import { compareStages, COMPUTING, TINY_FLAGS, TINY_ROWS } from "./compare_stages.ts";
import { STAGE_CASES } from "./stage_cases.ts";

openDevice("webgpu"); // this task is for machines with a driver: without one it fails here, with exit code 1

Deno.test("every equation of the goldens gives the processor's numbers on WebGPU", () => {
  assertEquals(wrongKernels(openDevice("webgpu"), goldenEquations()), []);
});

Deno.test("the check finds the wrong kernels that docs/devices.md names", () => {
  const unmended = new Place({ ...WEBGPU, lacks: new Set(["FusedMatMul", "LogSoftmax"]) });
  const wrong = wrongKernels(
    unmended,
    goldenEquations().filter((line) => /^(rmsNorm|groupQueryAttention) /.test(line)),
  );
  assertEquals(wrong.map(({ name }) => name).sort(), ["groupQueryAttention", "rmsNorm"]);
});

for (const node of COMPUTING) {
  Deno.test(`${node} on WebGPU writes the processor's numbers within 1e-4, from the same files`, () =>
    compareStages("webgpu", [node]));
}

for (const [name, check] of Object.entries(STAGE_CASES)) {
  Deno.test(`WebGPU: ${name}`, () => check(openDevice("webgpu")));
}

Deno.test("a pipeline on WebGPU that is killed in an update and resumed ends with the bytes of an undisturbed run", async () => {
  using quickstart = new SmallQuickstart(TINY_ROWS);
  const flags = [...TINY_FLAGS, "--device", "webgpu"];
  await quickstart.run("undisturbed", ...flags);
  let updates = 0;
  const { code } = await interrupt(
    startBare(quickstart, "killed", ...flags),
    "SIGKILL",
    (event) => event.type === "stage_started" && event.stage === "ppo.update" && ++updates === 2,
  );
  assert(code === 137, `the run was to be killed, but ended with ${code}`);
  await quickstart.run("killed", ...flags);
  assertEquals(quickstart.bytes("killed"), quickstart.bytes("undisturbed"));
});

/** The path of a device on every machine, by stand-ins that are the processor; and one family on WebGPU where there is one. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { recordEquations } from "@/lib/compute/autodiff/lowered_equations.ts";
import { goldenEquations } from "@/lib/compute/devices/conformance.ts";
import { addDevice, openDevice } from "@/lib/compute/devices/devices.ts";
import { HOST, type Place } from "@/lib/compute/ort/place.ts";
import { EXIT, exitCodeOf, UnavailableError } from "@/lib/compute/tensor/errors.ts";
import { checkFamily } from "@/tests/goldens/checks/check_family.ts";
import { GOLDEN_FOLDER, GOLDEN_NAMES } from "@/tests/support/golden_families.ts";
import { checkLora } from "@/tests/goldens/checks/check_lora.ts";
import { compareStages } from "./compare_stages.ts";
import {
  checkDraws,
  checkExactResponses,
  checkOrders,
  checkResponses,
  checkStepTraffic,
} from "./generation_cases.ts";
import { uploadsByStage } from "./hand_over_cases.ts";
import { onPlace, srppoOn } from "./on_place.ts";
import { checkPlace } from "./place_cases.ts";
import { COMPOSED, RECORDED, STAND_IN } from "./stand_in.ts";
import { checkDiscard, checkTrainSteps, checkTrainTraffic } from "./training_cases.ts";
import { checkServedResponses } from "./serving_cases.ts";
import { STAGE_CASES } from "./stage_cases.ts";
import { webgpu } from "./webgpu.ts";

/** By what a device must do. */
const CASES: Readonly<Record<string, (place: Place) => void>> = {
  "copies, views and updates in place are right, and their bytes are counted": checkPlace,
  "train steps with all state there give the processor's losses, norms, weights and moving average":
    checkTrainSteps,
  "a train step exchanges ids, positions, scalars and values per token": checkTrainTraffic,
  "a gradient that is not finite is found and removed": checkDiscard,
  "drawTokens() draws the tokens of draw()": checkDraws,
  "responses are the processor's: sampled, greedy, and with top-k and top-p": checkResponses,
  "responses are equal bit for bit for any order, slot and refill": checkOrders,
  "exact responses are equal bit for bit for any number of slots": checkExactResponses,
  "a decoding step exchanges ids, positions, random numbers and log-probabilities": checkStepTraffic,
  "a running batch gives each sequence the processor's tokens, whatever joins and leaves beside it":
    checkServedResponses,
};

function familyOn(place: Place, family: string): void {
  for (const { check, ok, worst } of onPlace(place, () => checkFamily(`${GOLDEN_FOLDER}/${family}`))) {
    assert(ok, `${family}: ${check} at ${worst}`);
  }
}

for (const [name, check] of Object.entries(CASES)) {
  Deno.test(`stand-in: ${name}`, () => check(STAND_IN));
  Deno.test(`composed operators: ${name}`, () => check(COMPOSED));
}

for (const [name, check] of Object.entries(STAGE_CASES)) {
  Deno.test(`composed operators: ${name}`, () => check(COMPOSED));
}

Deno.test("composed operators: all goldens pass with all state on the device, and lower the equations of equations.txt", async () => {
  const stop = recordEquations();
  for (const family of GOLDEN_NAMES) familyOn(RECORDED, family);
  const rest = [...onPlace(RECORDED, () => checkLora("fixtures/goldens/lora")), ...await srppoOn(RECORDED)];
  for (const { check, ok, worst } of rest) assert(ok, `${check} at ${worst}`);
  // After a change of models or goldens: deno run -A tests/device/write_equations.ts
  assertEquals(stop(), goldenEquations());
});

Deno.test("composed operators: every stage writes the processor's numbers within 1e-4, from the same files", async () => {
  addDevice(COMPOSED);
  await compareStages(COMPOSED.provider.device);
});

Deno.test("composed operators: weights and moments stay on the device from one iteration to the next", async () => {
  const uploads = await uploadsByStage(COMPOSED), weights = 4 * 263_000; // stories260K in f32
  assert(uploads["ppo.update[0]"]! > weights, "the first update brings the policy and the critic");
  // Later ones bring ids, positions and masks; without the hand-over policy, critic and four moments: 6 MB.
  for (const stage of ["rollout", "score", "update"]) {
    const uploaded = uploads[`ppo.${stage}[2]`]!;
    assert(uploaded < weights / 4, `${stage}: ${uploaded} bytes`);
  }
});

Deno.test("composed operators: a policy with a shared critic stays on the device from one iteration to the next", async () => {
  const uploads = await uploadsByStage(COMPOSED, ["ppo.update.critic_trunk=shared"]);
  const weights = 4 * 263_000;
  assert(uploads["ppo.update[0]"]! > weights, "the first update brings the policy");
  for (const stage of ["rollout", "score", "update"]) {
    const uploaded = uploads[`ppo.${stage}[2]`]!;
    assert(uploaded < weights / 4, `${stage}: ${uploaded} bytes`);
  }
});

Deno.test("WebGPU: llama passes its golden with all state on the device, and no operator runs on the processor", () => {
  const place = webgpu();
  if (place) familyOn(place, "llama");
});

Deno.test("WebGPU: copies, train steps, tokens and their bytes are those of the stand-ins", () => {
  const place = webgpu();
  if (place) { for (const check of Object.values(CASES)) check(place); }
});

Deno.test("auto is the processor and says so; an unknown device is unavailable", () => {
  const lines: string[] = [];
  assertEquals([openDevice("auto", { tell: (line) => lines.push(line) }), lines], [HOST, [
    "--device auto: cpu",
  ]]);
  const error = assertThrows(
    () => openDevice("cuda"),
    UnavailableError,
    '--device must be one of cpu, webgpu, auto, got "cuda"',
  );
  assertEquals(exitCodeOf(error), EXIT.unavailable);
});

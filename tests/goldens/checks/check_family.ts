/** All checks of one model family: forward pass, training, decoding. @module */
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { checkDecoding } from "./check_decoding.ts";
import { checkForward } from "./check_forward.ts";
import { checkTraining } from "./check_training.ts";
import { openFamilyGolden } from "./family_golden.ts";
import { type CheckLine, tally } from "./tally.ts";

/**
 * Checks a family's directory: a checkpoint with its golden.safetensors.
 * @throws {DataError} if the checkpoint or the batch of the golden cannot be read
 */
export function checkFamily(directory: string): CheckLine[] {
  const loaded = loadModel(directory), checks = tally();
  using golden = openFamilyGolden(directory);
  checks.parts({
    "forward pass": () => checkForward(golden, loaded, directory, checks),
    training: () => checkTraining(golden, loaded, checks),
    decoding: () => checkDecoding(golden, loaded, checks),
  });
  return checks.lines();
}

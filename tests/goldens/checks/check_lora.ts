/**
 * A LoRA adapter on its base: all checks of a family, the base with the adapter off, and the adapter merged into the base.
 * @module
 */
import { exists } from "@/lib/data/files/paths.ts";
import { join } from "node:path";
import { type LoadedModel, loadModel } from "@/lib/model/models/checkpoint.ts";
import { mergedModel } from "@/lib/model/models/lora/merge.ts";
import { Network } from "@/lib/model/train/network.ts";
import { checkAgreement, checkDecoding } from "./check_decoding.ts";
import { checkForward, compareLogits } from "./check_forward.ts";
import { checkTraining } from "./check_training.ts";
import { type FamilyGolden, openFamilyGolden } from "./family_golden.ts";
import { absolute, type CheckLine, type Tally, tally } from "./tally.ts";

const BASE = absolute("logits, adapter off");
const MERGED = absolute("merged weights", 1e-5);
const MERGED_LOGITS = absolute("logits, adapter merged");

/**
 * Checks an adapter's directory, or one with a base and several adapters.
 * @throws {DataError} if an adapter, its base or the batch of the golden cannot be read
 */
export function checkLora(directory: string): CheckLine[] {
  if (exists(join(directory, "adapter_config.json"))) return checkAdapter(directory);
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
  return names.filter((name) => exists(join(directory, name, "adapter_config.json"))).flatMap((name) =>
    checkAdapter(join(directory, name)).map((line) => ({ ...line, check: `${name}: ${line.check}` }))
  );
}

function checkAdapter(directory: string): CheckLine[] {
  const loaded = loadModel(directory), checks = tally();
  using golden = openFamilyGolden(directory);
  checks.parts({
    "forward pass": () => checkForward(golden, loaded, directory, checks),
    "base and merged": () => checkBaseAndMerged(golden, loaded, directory, checks),
    training: () => checkTraining(golden, loaded, checks),
    // decoding merges the adapter, training keeps it beside the weights
    decoding: () => (golden.greedy.length > 0 ? checkDecoding : checkAgreement)(golden, loaded, checks),
  });
  return checks.lines();
}

function checkBaseAndMerged(
  golden: FamilyGolden,
  loaded: LoadedModel,
  directory: string,
  checks: Tally,
): void {
  const { base } = loaded.model.adapter!;
  compareLogits(
    BASE,
    golden,
    new Network(base, loaded.parameters.backbone!),
    golden.floats("base_logits"),
    checks,
  );
  const merged = mergedModel(loaded), wanted = loadModel(join(directory, "merged"));
  for (const { name } of wanted.parameters.specs) {
    checks.compare(MERGED, name, merged.parameters.view(name), wanted.parameters.view(name));
  }
  compareLogits(
    MERGED_LOGITS,
    golden,
    new Network(merged.model, merged.parameters),
    golden.floats("logits"),
    checks,
  );
}

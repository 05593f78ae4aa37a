/** Writes lib/compute/devices/equations.txt: every equation that the goldens lower where all state is on a device. @module */
import { recordEquations } from "@/lib/compute/autodiff/lowered_equations.ts";
import { checkFamily } from "@/tests/goldens/checks/check_family.ts";
import { checkLora } from "@/tests/goldens/checks/check_lora.ts";
import { GOLDEN_FOLDER, GOLDEN_NAMES } from "@/tests/support/golden_families.ts";
import { onPlace, srppoOn } from "./on_place.ts";
import { RECORDED } from "./stand_in.ts";

const stop = recordEquations();
for (const family of GOLDEN_NAMES) onPlace(RECORDED, () => checkFamily(`${GOLDEN_FOLDER}/${family}`));
onPlace(RECORDED, () => checkLora("fixtures/goldens/lora"));
await srppoOn(RECORDED);
Deno.writeTextFileSync("lib/compute/devices/equations.txt", `${stop().join("\n")}\n`);

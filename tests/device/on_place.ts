/** Runs a function while networks and generators compute at a place. @module */
import { defaultPlace, setDefaultPlace } from "@/lib/compute/ort/default_place.ts";
import type { CheckLine } from "@/tests/goldens/checks/tally.ts";
import { checkSrppo } from "@/tests/goldens/checks/check_srppo.ts";
import type { Place } from "@/lib/compute/ort/place.ts";

/** Returns what `compute` returns; it may not be asynchronous. */
export function onPlace<T>(place: Place, compute: () => T): T {
  const before = defaultPlace();
  setDefaultPlace(place);
  try {
    return compute();
  } finally {
    setDefaultPlace(before);
  }
}

/** Returns the lines of the golden of an iteration, computed at a place. */
export async function srppoOn(place: Place): Promise<CheckLine[]> {
  const before = defaultPlace();
  setDefaultPlace(place);
  try {
    return await checkSrppo("fixtures/goldens/srppo");
  } finally {
    setDefaultPlace(before);
  }
}

/** Runs a function while networks and generators compute at a place. @module */
import { defaultPlace, setDefaultPlace } from "@/lib/compute/ort/default_place.ts";
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

/** Loads a model directory and prints seconds and memory as JSON; started by `load_case.ts`. @module */
import { loadModel } from "@/lib/model/models/checkpoint.ts";
import { peakMemoryBytes } from "./process_info.ts";

const startBytes = peakMemoryBytes(), start = performance.now();
loadModel(Deno.args[0]!);
const seconds = (performance.now() - start) / 1000;
const peakBytes = peakMemoryBytes();
console.log(JSON.stringify({ seconds, peak_bytes: peakBytes, start_bytes: startBytes }));

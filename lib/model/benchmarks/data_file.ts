/** Reads the compressed data of benchmarks in fixtures/benchmarks. @module */
import { gunzipSync } from "node:zlib";

/** Returns the text of `fixtures/benchmarks/NAME.gz`. */
export function readDataFile(name: string): string {
  const url = new URL(`../../../fixtures/benchmarks/${name}.gz`, import.meta.url);
  return new TextDecoder().decode(gunzipSync(Deno.readFileSync(url)));
}

/** Reads the compressed data of benchmarks in fixtures/benchmarks. @module */
import { gunzipSync } from "node:zlib";
import { digestBytes } from "@/lib/data/files/digest.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";

/** SHA-256 of the compressed files. They are part of the code, so that cached results follow the data. */
const DIGESTS = {
  "gsm8k_test.jsonl": "bb13a52c31b1fa4805ebab294dce067e337ccd4b61c3e6461c85c92965282c62",
  "gsm8k_train.jsonl": "d52a31668743a4f18e4a284514e54eea07a06ae31fcf4293af2506c198c05bda",
  "ifeval.jsonl": "b2a1eb31d892fbf18ebf4088959f7c29ce5fdd68ec20359beea1c27edbde91b1",
  "langdetect.json": "f92cb0cf55a41394f78d793dc5ac924e794519e65d98bd505a5cc908060c539f",
  "punkt_english.json": "281ff549f9e4d72ccee95121ea426510a7fa1fe9e8ac1103c44c069125143960",
} as const;

/** Returns the text of `fixtures/benchmarks/NAME.gz`. @throws {DataError} if the file is damaged */
export function bundledText(name: string): string {
  const url = new URL(`../../../fixtures/benchmarks/${name}.gz`, import.meta.url),
    bytes = Deno.readFileSync(url);
  const expected = (DIGESTS as Readonly<Record<string, string>>)[name], found = digestBytes(bytes);
  if (found !== expected) {
    throw new DataError(`fixtures/benchmarks/${name}.gz must have the SHA-256 ${expected}, got ${found}`, {
      file: url.pathname,
    });
  }
  return new TextDecoder().decode(gunzipSync(bytes));
}

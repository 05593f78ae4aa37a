/** Compares what two runs of a stage wrote, number by number: tensors, columns of tables, and numbers in JSON. @module */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { decodeArrowRows } from "@/lib/data/arrow/decode_rows.ts";
import { openSafetensors } from "@/lib/data/files/safetensors.ts";

/** Numbers that follow from others by comparison, or count time: a rounding error changes them by more than itself. */
const NOT_COMPARED = /digest|seconds|^meta$/;

/** Fails unless every number in the file or directory `found` is within `tolerance` of the one in `wanted`. */
export function assertOutputsClose(found: string, wanted: string, tolerance: number): void {
  if (Deno.statSync(wanted).isDirectory) {
    const names = (path: string) => Array.from(Deno.readDirSync(path), ({ name }) => name).sort();
    assertEquals(names(found), names(wanted), wanted);
    for (const name of names(wanted)) assertOutputsClose(join(found, name), join(wanted, name), tolerance);
  } else if (wanted.endsWith(".safetensors")) {
    using a = openSafetensors(found), b = openSafetensors(wanted);
    assertEquals(a.names, b.names);
    for (const name of b.names) {
      assertClose(a.read(name).data, b.read(name).data, `${wanted}: ${name}`, tolerance);
    }
  } else if (wanted.endsWith(".json")) {
    compareValues(
      JSON.parse(Deno.readTextFileSync(found)),
      JSON.parse(Deno.readTextFileSync(wanted)),
      wanted,
      tolerance,
    );
  } else if (isArrow(wanted)) {
    const rows = (path: string) => decodeArrowRows(Deno.readFileSync(path), path);
    compareValues(rows(found), rows(wanted), wanted, tolerance);
  } else assertEquals(Deno.readFileSync(found), Deno.readFileSync(wanted), wanted);
}

function isArrow(path: string): boolean {
  return new TextDecoder().decode(Deno.readFileSync(path).subarray(0, 6)) === "ARROW1";
}

function compareValues(found: unknown, wanted: unknown, at: string, tolerance: number): void {
  if (typeof wanted === "number" && typeof found === "number") {
    return assertClose([found], [wanted], at, tolerance);
  }
  if (wanted instanceof Float32Array || wanted instanceof Float64Array) {
    return assertClose(found as Float32Array, wanted, at, tolerance);
  }
  if (typeof wanted === "string" && wanted.startsWith("{")) {
    return compareValues(JSON.parse(String(found)), JSON.parse(wanted), at, tolerance);
  }
  if (wanted === null || typeof wanted !== "object" || ArrayBuffer.isView(wanted)) {
    return assertEquals(found, wanted, at);
  }
  const entries = wanted instanceof Map ? [...wanted] : Object.entries(wanted);
  for (const [name, value] of entries) {
    const other = found instanceof Map ? found.get(name) : (found as Record<string, unknown>)[name];
    if (!NOT_COMPARED.test(String(name))) compareValues(other, value, `${at}: ${name}`, tolerance);
  }
}

/** Relative to the largest number of `wanted`, or absolute where that is below 1. */
function assertClose(
  found: ArrayLike<number | bigint>,
  wanted: ArrayLike<number | bigint>,
  at: string,
  tolerance: number,
): void {
  assertEquals(found.length, wanted.length, at);
  let largest = 1;
  for (let i = 0; i < wanted.length; i++) largest = Math.max(largest, Math.abs(Number(wanted[i])));
  for (let i = 0; i < wanted.length; i++) {
    const difference = Math.abs(Number(found[i]) - Number(wanted[i]));
    assert(!(difference > tolerance * largest), `${at}[${i}]: ${found[i]} instead of ${wanted[i]}`);
  }
}

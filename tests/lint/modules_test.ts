/** Tests of what modules import and export: no circles, no unused exports, no name with two meanings. @module */
import { assert, assertEquals } from "@std/assert";
import { importCircles, readModule, readModules, sharedNames, unusedExports } from "./modules.ts";
import { isTest } from "./room_of.ts";

/** Names that every stage exports, by the form of a stage. */
const EVERY_STAGE = ["stage", "params", "Params", "inputs", "outputs", "Context"];

const modules = readModules(["lib", "stages", "tests"]);
const production = modules.filter(({ path }) => !isTest(path));

Deno.test("no file of lib or stages imports itself through others, types included", () => {
  assert(production.length > 200);
  assertEquals(importCircles(production), []);
});

Deno.test("every exported name is used outside its tests", () => {
  assertEquals(unusedExports(modules), []);
});

Deno.test("no two files of lib or stages export the same name", () => {
  assertEquals(sharedNames(production, EVERY_STAGE), []);
});

Deno.test("readModule() reads imports and exports as deno fmt writes them", () => {
  const source = `/** import { no } from "./comment.ts"; @module */
import type { Tensor } from "@/lib/compute/tensor/tensor.ts";
import plugin, {
  type A,
  b as c,
} from "./b.ts";
import * as all from "./all.ts";
import "./effect.ts";
import { z } from "zod";
export { gae } from "./gae.ts";
export * from "./rest.ts";
export const { left, right: other } = pair;
export async function run(): Promise<void> {
  const { load } = await import("./lazy.ts");
}
export abstract class Shape {}
export interface Row {}
export type Rows = Row[];
// export const old = 1;
`;
  const { imports, exports } = readModule("lib/model/rl/x.ts", source);
  assertEquals(imports.map(({ from, name }) => `${from.replace("lib/model/rl/", "")}#${name}`), [
    "lib/compute/tensor/tensor.ts#Tensor",
    "b.ts#default",
    "b.ts#A",
    "b.ts#b",
    "all.ts#*",
    "gae.ts#gae",
    "rest.ts#*",
    "effect.ts#",
    "lazy.ts#load",
  ]);
  assertEquals(exports.map(({ name, kind }) => `${kind} ${name}`), [
    "value left",
    "value right",
    "value run",
    "value Shape",
    "type Row",
    "type Rows",
  ]);
});

Deno.test("importCircles() finds a circle through a type", () => {
  assertEquals(
    importCircles([
      readModule("lib/a/x.ts", `import { y } from "./y.ts";`),
      readModule("lib/a/y.ts", `import type { X } from "./x.ts";`),
      readModule("lib/a/z.ts", `import { y } from "./y.ts";`),
    ]),
    ["lib/a/x.ts → lib/a/y.ts → lib/a/x.ts"],
  );
});

Deno.test("sharedNames() finds a name that two files export", () => {
  const of = (path: string) => readModule(path, `export const params = 1;\nexport function mean() {}`);
  assertEquals(sharedNames([of("lib/a/x.ts"), of("lib/b/x.ts")], EVERY_STAGE), [
    "mean: lib/a/x.ts, lib/b/x.ts",
  ]);
});

Deno.test("unusedExports() accepts what production, tests/support, or the file and a test use", () => {
  const source = [
    "export const inProduction = 1;",
    "export const inSupport = 1;",
    "export const inTestOnly = 1;",
    "export const inFileAndTest = 1;",
    "export const inFileOnly = inFileAndTest;",
    "export const inFarTest = inFileAndTest + inFileOnly;",
    "export interface Options {}",
    "export interface Unused {}",
    "export const read = (options: Options) => inFarTest;",
  ].join("\n");
  const importing = (path: string, names: string) =>
    readModule(path, `import { ${names} } from "@/lib/a/x.ts";`);
  assertEquals(
    unusedExports([
      readModule("lib/a/x.ts", source),
      importing("lib/b/y.ts", "inProduction, read"),
      importing("lib/a/x_test.ts", "inTestOnly, inFileAndTest"),
      importing("tests/support/s.ts", "inSupport"),
      importing("tests/far_test.ts", "inFarTest"),
      importing("tests/goldens/checks/g.ts", "inFarTest"),
    ]),
    ["inTestOnly", "inFileOnly", "Unused"].map((name) => `lib/a/x.ts: ${name}`),
  );
});

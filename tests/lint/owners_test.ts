/** Tests that the table of package owners names no package and no owner that is stale. @module */
import { assertEquals } from "@std/assert";
import { projectText } from "../docs/generated.ts";
import { readPackages } from "./modules.ts";
import { isTest, roomOf, tableKey } from "./room_of.ts";
import { OWNERS, TEST_PACKAGES } from "./rooms.ts";

const packages = readPackages(["lib", "stages", "tests"]);
const { imports } = JSON.parse(projectText("deno.json")) as { imports: Record<string, string> };
const known = Object.keys(imports).filter((name) => name !== "@/");

Deno.test("deno.json imports the packages that have an owner, and no other", () => {
  assertEquals(known.sort(), [...Object.keys(OWNERS), ...TEST_PACKAGES].sort());
});

Deno.test("every owner imports its packages, and tests import those that only they may", () => {
  const used = new Set(
    packages.map(({ path, name }) => `${name} ${isTest(path) ? "tests" : tableKey(roomOf(path)!)}`),
  );
  const listed = [
    ...Object.entries(OWNERS).flatMap(([name, owners]) => owners.map((owner) => `${name} ${owner}`)),
    ...TEST_PACKAGES.map((name) => `${name} tests`),
  ];
  assertEquals(listed.filter((entry) => !used.has(entry)), []);
});

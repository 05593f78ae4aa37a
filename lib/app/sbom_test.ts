/** Tests the structure of the bill of materials, and that it lists what the lock file has. @module */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { projectRoot } from "./project_root.ts";
import { sbomOf } from "./sbom.ts";
import { projectSbom } from "./sbom_command.ts";

Deno.test("scopes, versions, hashes, licences and dependencies are those of CycloneDX", () => {
  const integrity = `sha512-${new Uint8Array([1, 255]).toBase64()}`;
  const { components, dependencies } = sbomOf(
    {
      specifiers: { "npm:@a/b@^1.0.0": "1.2.3", "jsr:@std/cli@1": "1.0.0" },
      npm: {
        "@a/b@1.2.3": { integrity, dependencies: ["c@2.0.0", "d"] },
        "c@1.0.0": { integrity },
        "c@2.0.0": { integrity },
        "d@1.0.0-1_c@1.0.0": { integrity },
      },
    },
    (name) => ({ c: "(MIT OR Apache-2.0)", d: "SEE LICENSE IN x" })[name] ?? "MIT",
    "0.1.0",
  );
  assertEquals(components[0], {
    type: "library",
    "bom-ref": "pkg:npm/%40a/b@1.2.3",
    group: "@a",
    name: "b",
    version: "1.2.3",
    purl: "pkg:npm/%40a/b@1.2.3",
    hashes: [{ alg: "SHA-512", content: "01ff" }],
    licenses: [{ license: { id: "MIT" } }],
  });
  assertEquals(components[1]!.licenses, [{ expression: "(MIT OR Apache-2.0)" }]);
  assertEquals(components[3]!.licenses, [{ license: { name: "SEE LICENSE IN x" } }]);
  assertEquals(dependencies.slice(0, 2), [
    { ref: "srppo", dependsOn: ["pkg:npm/%40a/b@1.2.3"] },
    { ref: "pkg:npm/%40a/b@1.2.3", dependsOn: ["pkg:npm/c@2.0.0", "pkg:npm/d@1.0.0-1"] },
  ]);
});

Deno.test("the bill of materials lists every package of the lock file, each with SHA-512, licence and references that exist", () => {
  const lock = JSON.parse(Deno.readTextFileSync(join(projectRoot, "deno.lock")));
  const { components, dependencies, bomFormat, specVersion, version } = projectSbom();
  assertEquals([bomFormat, specVersion, version], ["CycloneDX", "1.6", 1]);
  assertEquals(components.length, Object.keys(lock.npm).length);
  const references = new Set(components.map((component) => component["bom-ref"]));
  assertEquals(references.size, components.length);
  for (const { purl, hashes, licenses } of components) {
    assert(/^pkg:npm\/(%40[\w.-]+\/)?[\w.-]+@\d[\w.-]*$/.test(purl!), purl);
    assertEquals(hashes!.map(({ alg, content }) => [alg, content.length]), [["SHA-512", 128]], purl);
    assert(licenses !== undefined, `${purl} has no licence`);
  }
  assertEquals(dependencies.map(({ ref }) => ref).sort(), ["srppo", ...references].sort());
  for (const { ref, dependsOn } of dependencies) {
    assertEquals(dependsOn.filter((one) => !references.has(one)), [], ref);
  }
  assert(!components.some(({ name }) => name === "protobufjs"));
});

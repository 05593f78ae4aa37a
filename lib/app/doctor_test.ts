import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { pathToFileURL } from "node:url";
import { libraryPath } from "@/lib/compute/ort/library.ts";
import { examine, type Finding, renderFindings } from "./doctor.ts";

Deno.test("renderFindings() prints a hint below every problem, and a verdict", () => {
  const findings: readonly Finding[] = [
    { name: "Deno", state: "ok", value: "2.9.6" },
    { name: "packages", state: "missing", value: "not installed: zod 4.6.7", hint: "deno install" },
    {
      name: "podman",
      state: "optional",
      value: "needed only for deno task test:container",
      hint: "apt-get install podman",
    },
  ];
  assertEquals(
    renderFindings(findings, { isColorSupported: false }),
    `ok      Deno      2.9.6
MISSING packages  not installed: zod 4.6.7
                  → deno install
absent  podman    needed only for deno task test:container
                  → apt-get install podman

Missing: packages.`,
  );
  assertStringIncludes(renderFindings(findings.slice(0, 1), { isColorSupported: true }), "\x1b[32mok");
  assertMatch(
    renderFindings(findings.slice(0, 1), { isColorSupported: false }),
    /\n\nEverything required is installed\.$/,
  );
});

Deno.test("examine() finds this checkout complete and names the library that loads", () => {
  const findings = examine(new URL("../../", import.meta.url));
  assertEquals(findings.filter(({ state }) => state === "missing"), []);
  assertEquals(findings.find(({ name }) => name === "ONNX Runtime")?.value.includes(libraryPath()), true);
  assertEquals(findings.find(({ name }) => name === "run directory")?.state, "ok");
});

Deno.test("examine() names packages that are absent or of another version", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      `${dir}/deno.json`,
      `{ "imports": { "@/": "./", "@std/cli": "jsr:@std/cli@^1", "yaml": "npm:yaml@2.9.1", "@a/b": "npm:@a/b@1.0.0", "zod": "npm:zod@4.6.7" } }`,
    );
    for (const [name, version] of [["zod", "4.6.7"], ["yaml", "2.0.0"]]) {
      await Deno.mkdir(`${dir}/node_modules/${name}`, { recursive: true });
      await Deno.writeTextFile(`${dir}/node_modules/${name}/package.json`, `{ "version": "${version}" }`);
    }
    assertEquals(examine(pathToFileURL(`${dir}/`)).find(({ name }) => name === "packages"), {
      name: "packages",
      state: "missing",
      value: "not installed: yaml 2.9.1, @a/b 1.0.0",
      hint: "deno install",
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

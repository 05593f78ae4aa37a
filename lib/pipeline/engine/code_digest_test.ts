import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { openCodeDigests } from "./code_digest.ts";

function project(): TemporaryDirectory {
  const dir = new TemporaryDirectory();
  for (const folder of ["lib", "stage", "std"]) Deno.mkdirSync(dir.file(folder));
  dir.write(
    "deno.json",
    JSON.stringify({
      imports: {
        "@/": "./",
        "zod": "npm:zod@4.0.0",
        "yaml": "npm:yaml@2.0.0",
        "@std/x": "jsr:@std/x@^1.0.0",
        "onnxruntime-node": "npm:onnxruntime-node@1.30.0",
      },
      links: ["./std"],
    }),
  );
  dir.write(
    "deno.lock",
    JSON.stringify({
      specifiers: {
        "npm:zod@4.0.0": "4.0.0",
        "npm:yaml@2.0.0": "2.0.0",
        "npm:onnxruntime-node@1.30.0": "1.30.0",
      },
      npm: {
        "zod@4.0.0": { integrity: "z", dependencies: ["core"] },
        "core@1.0.0": { integrity: "c" },
        "yaml@2.0.0": { integrity: "y" },
        "onnxruntime-node@1.30.0": { integrity: "o" },
      },
    }),
  );
  dir.write(
    "std/deno.json",
    JSON.stringify({ name: "@std/x", exports: { ".": "./mod.ts", "./part": "./part.ts" } }),
  );
  dir.write("std/part.ts", "export const part = 1;");
  dir.write("lib/used.ts", 'import { z } from "zod";\nimport { part } from "@std/x/part";');
  dir.write("lib/unused.ts", "");
  dir.write("lib/program.ts", "");
  dir.write(
    "stage/main.ts",
    'import "@/lib/used.ts";\nimport type { X } from "@/lib/unused.ts";\nif (import.meta.main) { await import("@/lib/program.ts"); }',
  );
  return dir;
}

function digest(dir: TemporaryDirectory): string {
  return openCodeDigests(dir.path).of(join(dir.path, "stage/main.ts"));
}

Deno.test("the code digest follows the module graph, linked packages, and the lock's entries of what it reaches", () => {
  using dir = project();
  const before = digest(dir);
  const change = (file: string, edit: (text: string) => string) => {
    const text = Deno.readTextFileSync(dir.file(file));
    dir.write(file, edit(text));
    const after = digest(dir);
    dir.write(file, text);
    return after;
  };
  for (const file of ["stage/main.ts", "lib/used.ts", "std/part.ts"]) {
    assertNotEquals(change(file, (text) => `${text}\n`), before, file);
  }
  for (const file of ["lib/unused.ts", "lib/program.ts"]) {
    assertEquals(change(file, () => "changed"), before, file);
  }
  for (const integrity of ['"z"', '"c"', '"o"']) {
    assertNotEquals(change("deno.lock", (text) => text.replace(integrity, '"!"')), before, integrity);
  }
  assertEquals(change("deno.lock", (text) => text.replace('"y"', '"!"')), before, "yaml is not reached");
  assertEquals(digest(dir), before);
});

Deno.test("the code digest notices a changed file, and names an import that does not exist", () => {
  using dir = project();
  const digests = openCodeDigests(dir.path);
  assertEquals(digests.onnxruntime, "1.30.0");
  const main = join(dir.path, "stage/main.ts");
  const before = digests.of(main);
  assertEquals(digests.of(main), before);
  dir.write("lib/used.ts", 'import "./gone.ts";');
  const error = assertThrows(() => digests.of(main), DataError);
  assertEquals(
    error.message,
    `${dir.file("lib/used.ts")}: import ${dir.file("lib/gone.ts")} does not exist`,
  );
});

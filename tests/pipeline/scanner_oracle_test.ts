/** The module scanner against Deno itself, on every module of this project. @module */
import { assertEquals } from "@std/assert";
import { join, relative } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";
import { scanModule } from "@/lib/pipeline/engine/module_scanner.ts";

interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly local?: string;
    readonly dependencies?: readonly { readonly specifier: string; readonly code?: unknown }[];
  }[];
}

function sources(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory) return sources(path);
    return /\.ts$/.test(entry.name) ? [path] : [];
  });
}

Deno.test("scanModule() finds what Deno finds in every module of this project", async () => {
  const roots = ["lib", "stages", "tests"].flatMap((folder) => sources(join(projectRoot, folder)));
  const list = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(list, roots.map((path) => `import ${JSON.stringify(path)};`).join("\n"));
    const command = new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", `--config=${join(projectRoot, "deno.json")}`, list],
      stdout: "piped",
      stderr: "piped",
    });
    const { code, stdout, stderr } = await command.output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as Info;
    const byPath = new Map(modules.map((module) => [module.local ?? "", module]));
    assertEquals(roots.filter((path) => !byPath.has(path)), [], "Deno knows every module");
    for (const path of roots) {
      const module = byPath.get(path)!;
      const source = Deno.readTextFileSync(path);
      const expected = new Set((module.dependencies ?? []).filter((d) => d.code).map((d) => d.specifier));
      const found = new Set(scanModule(source).modules);
      const missing = [...expected].filter((specifier) => !found.has(specifier));
      // What only the block of a program imports is left out on purpose.
      const program = source.slice(source.indexOf("if (import.meta.main)"));
      const excused = source.includes("if (import.meta.main)")
        ? missing.filter((m) => program.includes(m))
        : [];
      assertEquals(missing.filter((m) => !excused.includes(m)), [], `${relative(projectRoot, path)} misses`);
      assertEquals(
        [...found].filter((specifier) => !expected.has(specifier)),
        [],
        `${relative(projectRoot, path)} invents`,
      );
    }
  } finally {
    await Deno.remove(list);
  }
});

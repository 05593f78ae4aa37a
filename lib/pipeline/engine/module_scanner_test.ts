import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { scanModule } from "./module_scanner.ts";

Deno.test("scanModule() finds every form of import and export from", () => {
  const { modules } = scanModule(`
    import "./side.ts";
    import a from "./a.ts";
    import b, { c as d, type T } from './b.ts';
    import * as e from "./e.ts";
    import type from "./named_type.ts";
    import data from "./data.json" with { type: "json" };
    export { x } from "./x.ts";
    export * from "./y.ts";
    export * as z from "./z.ts";
    const lazy = await import("./lazy.ts");
    const json = import("./lazy.json", { with: { type: "json" } });
  `);
  assertEquals(
    modules,
    ["side", "a", "b", "e", "named_type"].map((name) => `./${name}.ts`).concat(
      ["./data.json", "./x.ts", "./y.ts", "./z.ts", "./lazy.ts", "./lazy.json"],
    ),
  );
});

Deno.test("scanModule() leaves out types, comments, strings, templates, and the block of a program", () => {
  const { modules } = scanModule(`
    import type { A } from "./types.ts";
    import type B from "./types.ts";
    export type { A } from "./types.ts";
    // import "./comment.ts";
    /* import "./comment.ts"; */
    const text = 'import "./text.ts"';
    const template = \`import "./text.ts" \${\`import "./text.ts" \${import("./inside.ts")}\`}\`;
    const pattern = /import "\\/[/"]x.ts"/g, half = 4 / 2 / 1;
    const object = { import: 1, from: "./text.ts" };
    object.import; call.import("./text.ts");
    export const from = "./text.ts";
    export function f() { return /"/; }
    import(name); import.meta.url;
    if (import.meta.main) { const { run } = await import("./program.ts"); if (x) { y } }
    import "./after.ts";
  `);
  assertEquals(modules, ["./inside.ts", "./after.ts"]);
});

Deno.test("scanModule() finds files beside the module", () => {
  const { files } = scanModule(`new Worker(new URL("./worker.ts", import.meta.url)); new URL("./x", base);`);
  assertEquals(files, ["./worker.ts"]);
});

Deno.test("scanModule() finds imports whatever is between them", () => {
  const filler = fc.constantFrom(
    "// don't\n",
    "/* it's */",
    'const s = "a\'b\\"c";',
    "const t = `x${1 + 2}'y`;",
    "const r = /['\"`]/;",
    "function f() { return a / b; }",
    "type T = `${A}-${B}`;",
    "class C<T extends U> { #p = 1n; }",
  );
  fc.assert(fc.property(fc.array(filler, { maxLength: 12 }), (parts) => {
    const source = parts.map((part, i) => `${part}\nimport "./m${i}.ts";\n`).join("");
    assertEquals(scanModule(source).modules, parts.map((_, i) => `./m${i}.ts`));
  }));
});

/**
 * What the modules of the project import and export, by name, read with regular expressions from source as `deno fmt`
 * writes it: statements begin at the start of a line.
 * @module
 */
import { join } from "node:path";
import { projectRoot } from "@/lib/app/registry.ts";
import { isTest, targetOf } from "./room_of.ts";

/** An import or a re-export of a name of another file of the project. */
export interface ImportedName {
  /** path of the imported file from the root of the project */
  readonly from: string;
  /** the exported name; `*` for all of them */
  readonly name: string;
}

/** A declaration that is exported. */
export interface ExportedName {
  readonly name: string;
  readonly kind: "value" | "type";
}

/** What a module imports and exports. */
export interface Module {
  readonly path: string;
  /** source without comments */
  readonly code: string;
  readonly imports: readonly ImportedName[];
  readonly exports: readonly ExportedName[];
}

const STATEMENT = /^(?:import|export)\s+(?:type\s+)?([^"'`;()=]*?)\s+from\s+"([^"]+)"/gm;
const SIDE_EFFECT = /^import\s+"([^"]+)"/gm;
const DYNAMIC = /(?:const\s+\{([^}]*)\}\s*=\s*await\s+)?\bimport\(\s*"([^"]+)"/g;
const DECLARATION =
  /^export\s+(?:default\s+)?(?:async\s+|abstract\s+|declare\s+)?(function\*?|const|let|class|interface|type|enum)\s+([\w$]+|(?<=const\s+)\{[^}]*\})/gm;

/** Returns the imports and exports of `source`, the text of the file at `path` from the root of the project. */
export function readModule(path: string, source: string): Module {
  const code = withoutComments(source);
  const imports = specifiersOf(code).flatMap(({ names, specifier }) => {
    const target = targetOf(specifier, path);
    return "path" in target ? importedNames(names ?? "*").map((name) => ({ from: target.path, name })) : [];
  });
  const exports = [...code.matchAll(DECLARATION)].flatMap(([, kind, names]) =>
    namesIn(names!).map((name): ExportedName => ({
      name,
      kind: kind === "interface" || kind === "type" ? "type" : "value",
    }))
  );
  return { path, code, imports, exports };
}

function withoutComments(source: string): string {
  return source.replaceAll(/^\s*\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, "");
}

/** Returns the specifiers that code imports, each with its clause of names; without one, all names are imported. */
function specifiersOf(code: string): { readonly specifier: string; readonly names?: string }[] {
  return [
    ...[...code.matchAll(STATEMENT)].map(([, names = "", specifier = ""]) => ({ names, specifier })),
    ...[...code.matchAll(SIDE_EFFECT)].map(([, specifier = ""]) => ({ names: "{}", specifier })),
    ...[...code.matchAll(DYNAMIC)].map(([, names, specifier = ""]) =>
      names === undefined ? { specifier } : { names: `{${names}}`, specifier }
    ),
  ];
}

/**
 * Returns the external packages that files below the given folders use: by an import, or by a path into node_modules as for
 * a shared library.
 */
export function readPackages(folders: readonly string[]): { readonly path: string; readonly name: string }[] {
  return folders.flatMap(sourceFiles).flatMap((path) => {
    const code = withoutComments(Deno.readTextFileSync(join(projectRoot, path)));
    const loaded = [...code.matchAll(/node_modules\/((?:@[\w-]+\/)?[\w.-]+)\//g)].map(([, name]) => name!);
    const imported = specifiersOf(code).flatMap(({ specifier }) => {
      const target = targetOf(specifier, path);
      return target.kind === "package" ? [target.name] : [];
    });
    return [...loaded, ...imported].map((name) => ({ path, name }));
  });
}

/** Returns the exported names that a clause such as `a, { b as c, type D }` or `* as all` imports; "" for none. */
function importedNames(clause: string): string[] {
  if (clause.includes("*")) return ["*"];
  const before = clause.replace(/\{[\s\S]*$/, "").replace(/,\s*$/, "").trim();
  const named = namesIn(/\{[\s\S]*\}/.exec(clause)?.[0] ?? "");
  const all = [...(before === "" ? [] : ["default"]), ...named];
  return all.length > 0 ? all : [""];
}

function namesIn(text: string): string[] {
  return text.replaceAll(/[{}]/g, "").split(",").map((part) =>
    part.trim().replace(/^type\s+/, "").split(/\s+as\s+|\s*:\s*/)[0]!.trim()
  ).filter((name) => name !== "");
}

/** Returns the modules below the given folders of the project, sorted by path. Stand-ins of packages are left out. */
export function readModules(folders: readonly string[]): Module[] {
  return folders.flatMap((folder) => sourceFiles(folder)).filter((path) => !path.startsWith("lib/std/"))
    .sort()
    .map((path) => readModule(path, Deno.readTextFileSync(join(projectRoot, path))));
}

function sourceFiles(folder: string): string[] {
  return [...Deno.readDirSync(join(projectRoot, folder))].flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) return sourceFiles(path);
    return /\.ts$/.test(path) ? [path] : [];
  });
}

/** Returns the circles of imports between files, each as a path that ends where it begins. */
export function importCircles(modules: readonly Module[]): string[] {
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const done = new Set<string>();
  const circles: string[] = [];
  function visit(path: string, above: readonly string[]): void {
    const at = above.indexOf(path);
    if (at >= 0) circles.push([...above.slice(at), path].join(" → "));
    if (at >= 0 || done.has(path)) return;
    const next = new Set(byPath.get(path)?.imports.map(({ from }) => from));
    for (const from of next) if (byPath.has(from)) visit(from, [...above, path]);
    done.add(path);
  }
  for (const { path } of modules) visit(path, []);
  return circles;
}

/** Returns the names that two files define, each with its files. */
export function sharedNames(modules: readonly Module[], exempt: readonly string[]): string[] {
  const files = new Map<string, string[]>();
  for (const { path, exports } of modules) {
    for (const { name } of exports) {
      if (!exempt.includes(name)) files.set(name, [...files.get(name) ?? [], path]);
    }
  }
  return [...files].filter(([, paths]) => new Set(paths).size > 1).map(([name, paths]) =>
    `${name}: ${paths.join(", ")}`
  ).sort();
}

/** Folders of tests whose imports make an exported value used: what tests share, and programs of deno.json's tasks. */
const SUPPORT = [
  "tests/support/",
  "tests/bench/",
  "tests/seeds/",
  "tests/interop/",
  "tests/oracles/",
  "tests/device/",
];

/**
 * Returns the exported names without a use, as `file: name`. A value is used if another file of production or of
 * tests/support imports it, or if its own file uses it and a test imports it. A contract's reader is used by definition. A
 * type is used if any file imports it or its own file uses it.
 */
export function unusedExports(modules: readonly Module[]): string[] {
  const importers = new Map<string, string[]>();
  for (const { path, imports } of modules) {
    for (const { from, name } of imports) {
      const key = `${from}#${name}`;
      importers.set(key, [...importers.get(key) ?? [], path]);
    }
  }
  return modules.filter(({ path }) => !isTest(path)).flatMap(({ path, code, exports }) =>
    exports.filter(({ name, kind }) => {
      const by = [...importers.get(`${path}#${name}`) ?? [], ...importers.get(`${path}#*`) ?? []];
      const isUsedInFile =
        (code.match(new RegExp(`(?<![\\w$])(?<!(?<!\\.\\.)\\.)${RegExp.escape(name)}(?![\\w$])`, "g")) ?? [])
          .length > 1;
      if (kind === "type") return by.length === 0 && !isUsedInFile;
      if (/^read[A-Z]/.test(name) && path.startsWith("lib/data/contracts/")) return false;
      if (name === "stage" && /^stages\/[^/]+\/main\.ts$/.test(path)) return false;
      if (by.some((from) => !isTest(from) || SUPPORT.some((folder) => from.startsWith(folder)))) {
        return false;
      }
      return !(isUsedInFile && by.some(isTest));
    }).map(({ name }) => `${path}: ${name}`)
  );
}

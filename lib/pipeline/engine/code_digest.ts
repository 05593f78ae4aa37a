/**
 * Digests of stages' code: every module that a program's main.ts imports, directly or not, the lock entries of the packages
 * that they name, and ONNX Runtime, which is loaded by path and not imported.
 * @module
 */
import { dirname, join, relative, resolve } from "node:path";
import { digestBytes, digestJson } from "@/lib/data/files/digest.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { StagePlan, StageSource } from "./blueprint.ts";
import { lockEntries, type LockFile } from "./lock_entries.ts";
import { type ModuleReferences, scanModule } from "./module_scanner.ts";
import { statOf } from "./tree.ts";

/** Digests programs of one project. */
export interface CodeDigests {
  /** digest of the program at `path`; files that did not change since the last call are not read again */
  readonly of: (path: string) => string;
  /** version of ONNX Runtime that the import map names */
  readonly onnxruntime: string;
}

/** Returns the digests of the programs of some stages, by stage id. */
export function stageDigests(
  plans: readonly StagePlan[],
  stages: StageSource,
  code: CodeDigests,
): ReadonlyMap<string, string> {
  return new Map(plans.map(({ stage: { id } }) => [id, code.of(stages.program(id))]));
}

interface Module extends ModuleReferences {
  readonly stamp: string;
  readonly digest: string;
}

interface Project {
  readonly root: string;
  readonly imports: Readonly<Record<string, string>>;
  /** path of an export of each package that deno.json links, by package name */
  readonly linked: ReadonlyMap<string, (inside: string) => string>;
}

/** A file of the project, or a package. */
type Target = { readonly path: string } | { readonly external: string };

/** Opens the project at `root`, the folder of deno.json and deno.lock, which `@/` means in imports. */
export function openCodeDigests(root: string): CodeDigests {
  const config = readJson<{ imports: Record<string, string>; links?: string[] }>(join(root, "deno.json"));
  const lock = readJson<LockFile>(join(root, "deno.lock"));
  const project = { root, imports: config.imports, linked: linkedPackages(root, config.links ?? []) };
  const runtime = config.imports["onnxruntime-node"] ?? "npm:onnxruntime-node";
  const memo = new Map<string, Module>();
  return {
    onnxruntime: runtime.replace(/^npm:onnxruntime-node@?/, ""),
    of(program) {
      const { modules, externals } = reachedFrom(resolve(program), project, memo);
      return digestJson({ modules, packages: lockEntries(lock, new Set([runtime, ...externals])) });
    },
  };
}

/** Returns digests of all modules that `program` reaches, by path in the project, and the packages that they name. */
function reachedFrom(
  program: string,
  project: Project,
  memo: Map<string, Module>,
): { readonly modules: Readonly<Record<string, string>>; readonly externals: ReadonlySet<string> } {
  const modules: Record<string, string> = {};
  const externals = new Set<string>();
  const queue: [path: string, from: string][] = [[program, program]];
  const seen = new Set<string>();
  for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
    const [path, from] = entry;
    if (seen.has(path)) continue;
    seen.add(path);
    const module = loadModule(path, from, memo);
    modules[relative(project.root, path)] = module.digest;
    for (const specifier of module.modules) {
      const found = locate(specifier, path, project);
      if (found && "path" in found) queue.push([found.path, path]);
      else if (found) externals.add(found.external);
    }
    for (const file of module.files) {
      const target = resolve(dirname(path), file), info = statOf(target);
      if (info && !info.isDirectory) queue.push([target, path]);
    }
  }
  return { modules, externals };
}

/** Returns the module at `path`, from `memo` if the file is unchanged. @throws {DataError} if it does not exist */
function loadModule(path: string, from: string, memo: Map<string, Module>): Module {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
  } catch (cause) {
    throw new DataError(`${from}: import ${path} does not exist`, { file: from }, { cause });
  }
  const stamp = `${info.size} ${info.mtime?.getTime()}`;
  const known = memo.get(path);
  if (known?.stamp === stamp) return known;
  const bytes = Deno.readFileSync(path);
  const isCode = /\.[cm]?[jt]sx?$/.test(path);
  const found = isCode ? scanModule(new TextDecoder().decode(bytes)) : { modules: [], files: [] };
  const module = { stamp, digest: digestBytes(bytes), ...found };
  memo.set(path, module);
  return module;
}

/** Returns the absolute path of a specifier, or the package that it names; undefined for modules of Deno itself. */
function locate(specifier: string, from: string, project: Project): Target | undefined {
  if (specifier.startsWith("./") || specifier.startsWith("../")) {
    return { path: resolve(dirname(from), specifier) };
  }
  if (specifier.startsWith("file:")) return { path: new URL(specifier).pathname };
  if (specifier.startsWith("node:")) return undefined;
  for (const [prefix, target] of Object.entries(project.imports)) {
    if (specifier === prefix || prefix.endsWith("/") && specifier.startsWith(prefix)) {
      const mapped = target + specifier.slice(prefix.length);
      return mapped.startsWith("./")
        ? { path: join(project.root, mapped) }
        : packageOf(mapped, project.linked);
    }
    if (specifier.startsWith(`${prefix}/`)) {
      return packageOf(`${target}/${specifier.slice(prefix.length + 1)}`, project.linked);
    }
  }
  return packageOf(specifier, project.linked);
}

function packageOf(specifier: string, linked: Project["linked"]): Target {
  const [start, name] = /^jsr:\/?(@[^/@]+\/[^/@]+)(?:@[^/]*)?/.exec(specifier) ?? [];
  const local = name === undefined ? undefined : linked.get(name);
  if (!local) return { external: specifier };
  const inside = specifier.slice(start!.length);
  return { path: local(inside === "" ? "." : `.${inside}`) };
}

function linkedPackages(root: string, links: readonly string[]): Project["linked"] {
  return new Map(links.map((link) => {
    const folder = resolve(root, link);
    const { name, exports } = readJson<{ name: string; exports: string | Record<string, string> }>(
      join(folder, "deno.json"),
    );
    const paths = typeof exports === "string" ? { ".": exports } : exports;
    return [name, (inside) => join(folder, paths[inside] ?? inside)];
  }));
}

function readJson<T>(path: string): T {
  return JSON.parse(Deno.readTextFileSync(path)) as T;
}

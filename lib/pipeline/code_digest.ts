/**
 * The digest of a stage's code: every module that its main.ts reaches, the lock entries of the packages that they name,
 * and ONNX Runtime, which is loaded by path and not imported.
 * @module
 */
import { dirname, join, relative, resolve } from "node:path";
import { digestBytes, digestJson } from "@/lib/files/digest.ts";
import { DataError } from "@/lib/tensor/errors.ts";
import { lockEntries, type LockFile } from "./lock_entries.ts";
import { type ModuleReferences, scanModule } from "./module_scanner.ts";

/** Digests programs of the project at `root`. */
export interface CodeDigests {
  /** digest of the program at `path`; files that did not change since the last call are not read again */
  readonly of: (path: string) => string;
  /** version of ONNX Runtime that the import map names */
  readonly onnxruntime: string;
}

interface Module extends ModuleReferences {
  readonly stamp: string;
  readonly digest: string;
}

/** @param root folder of deno.json and deno.lock, to which `@/` points */
export function openCodeDigests(root: string): CodeDigests {
  const config = JSON.parse(Deno.readTextFileSync(join(root, "deno.json"))) as {
    imports: Record<string, string>;
    links?: string[];
  };
  const lock = JSON.parse(Deno.readTextFileSync(join(root, "deno.lock"))) as LockFile;
  const linked = linkedPackages(root, config.links ?? []);
  const runtime = config.imports["onnxruntime-node"] ?? "npm:onnxruntime-node";
  const memo = new Map<string, Module>();

  function load(path: string, from: string): Module {
    let info: Deno.FileInfo;
    try {
      info = Deno.statSync(path);
    } catch (cause) {
      throw new DataError(`Cannot digest code as every import must exist: ${from} imports ${path}`, {
        file: from,
      }, { cause });
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

  /** Absolute path of a specifier, or the package that it names; undefined for what Deno itself brings. */
  function locate(specifier: string, from: string): { path: string } | { external: string } | undefined {
    if (specifier.startsWith("./") || specifier.startsWith("../")) {
      return { path: resolve(dirname(from), specifier) };
    }
    if (specifier.startsWith("file:")) return { path: new URL(specifier).pathname };
    if (specifier.startsWith("node:")) return undefined;
    for (const [prefix, target] of Object.entries(config.imports)) {
      if (specifier === prefix || prefix.endsWith("/") && specifier.startsWith(prefix)) {
        const mapped = target + specifier.slice(prefix.length);
        return mapped.startsWith("./") ? { path: join(root, mapped) } : packageOf(mapped);
      }
      if (specifier.startsWith(`${prefix}/`)) {
        return packageOf(`${target}/${specifier.slice(prefix.length + 1)}`);
      }
    }
    return packageOf(specifier);
  }

  function packageOf(specifier: string): { path: string } | { external: string } {
    const name = /^jsr:\/?(@[^/@]+\/[^/@]+)/.exec(specifier)?.[1];
    const local = name === undefined ? undefined : linked.get(name);
    if (!local) return { external: specifier };
    const inside = specifier.replace(/^jsr:\/?@[^/@]+\/[^/@]+(@[^/]*)?/, "");
    return { path: local(inside === "" ? "." : `.${inside}`) };
  }

  function of(program: string): string {
    const modules: Record<string, string> = {};
    const externals = new Set([runtime]);
    const queue: [path: string, from: string][] = [[resolve(program), program]];
    const seen = new Set<string>();
    for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
      const [path, from] = entry;
      if (seen.has(path)) continue;
      seen.add(path);
      const module = load(path, from);
      modules[relative(root, path)] = module.digest;
      for (const specifier of module.modules) {
        const found = locate(specifier, path);
        if (found && "path" in found) queue.push([found.path, path]);
        else if (found) externals.add(found.external);
      }
      for (const file of module.files) {
        const target = resolve(dirname(path), file);
        if (isFile(target)) queue.push([target, path]);
      }
    }
    return digestJson({ modules, packages: lockEntries(lock, externals) });
  }

  return { of, onnxruntime: runtime.replace(/^npm:onnxruntime-node@?/, "") };
}

/** Path of an export of each package that deno.json links, by package name. */
function linkedPackages(root: string, links: readonly string[]): Map<string, (inside: string) => string> {
  return new Map(links.map((link) => {
    const folder = resolve(root, link);
    const { name, exports } = JSON.parse(Deno.readTextFileSync(join(folder, "deno.json"))) as {
      name: string;
      exports: string | Record<string, string>;
    };
    const paths = typeof exports === "string" ? { ".": exports } : exports;
    return [name, (inside) => join(folder, paths[inside] ?? inside)];
  }));
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

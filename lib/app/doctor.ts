/**
 * `deno task doctor`: checks Deno, packages, the ONNX Runtime library and the machine, and prints how to install what is
 * missing. Exit code 69 if something required is missing.
 * @module
 */
import { statfsSync } from "node:fs";
import { delimiter, join } from "node:path";
import pc from "picocolors";
import { libraryPath, ORT_VERSION } from "@/lib/compute/ort/library.ts";
import { buildInfo } from "@/lib/compute/ort/runtime.ts";
import { EXIT } from "@/lib/compute/tensor/errors.ts";
import { runCommand } from "./command.ts";
import { readFlags } from "./flags.ts";
import { coreLimit, kernelText, memoryLimit, readCpuInfo, spellBytes } from "./machine.ts";
import { largest } from "@/lib/compute/tensor/large_lists.ts";

/** One line of the report. */
export interface Finding {
  readonly name: string;
  /** `missing` fails the command; `note` is a warning; `optional` is absent and used by some tasks only */
  readonly state: "ok" | "note" | "optional" | "missing";
  readonly value: string;
  /** what to do about it */
  readonly hint?: string;
}

const DENO_VERSION = "2.9.6";
const LITTLE_MEMORY_BYTES = 2e9;
const LITTLE_DISK_BYTES = 2e9;

/** Programs used by some tasks only, and how to install them on Debian. */
const PROGRAMS: readonly { readonly name: string; readonly usedBy: string; readonly install: string }[] = [
  { name: "podman", usedBy: "deno task test:container", install: "apt-get install podman runc" },
  { name: "buildah", usedBy: "deno task test:container", install: "apt-get install buildah" },
  {
    name: "debootstrap",
    usedBy: "deno task test:container without a registry",
    install: "apt-get install debootstrap",
  },
  { name: "python3", usedBy: "deno task test:interop", install: "apt-get install python3-venv" },
];

/** Returns all findings about this machine and this checkout (`project`: its root, a URL that ends in a slash). */
export function examine(project: URL): Finding[] {
  return [
    deno(),
    platform(),
    packages(project),
    library(),
    cores(),
    instructionSets(),
    memory(),
    disk(project),
    runsFolder(project),
    ...PROGRAMS.map(program),
  ];
}

/** Returns the report as text: one line per finding, a hint below it, and a verdict. */
export function renderFindings(findings: readonly Finding[], colors: { isColorSupported: boolean }): string {
  const paint = pc.createColors(colors.isColorSupported);
  const marks = {
    ok: paint.green("ok     "),
    note: paint.yellow("note   "),
    optional: paint.dim("absent "),
    missing: paint.red("MISSING"),
  };
  const width = largest(findings.map(({ name }) => name.length));
  const lines = findings.flatMap(({ name, state, value, hint }) => [
    `${marks[state]} ${name.padEnd(width)}  ${value}`,
    ...(hint === undefined ? [] : [`${" ".repeat(8)}${" ".repeat(width)}  → ${hint}`]),
  ]);
  const missing = findings.filter(({ state }) => state === "missing").map(({ name }) => name);
  const verdict = missing.length === 0
    ? "Everything required is installed."
    : `Missing: ${missing.join(", ")}.`;
  return [...lines, "", verdict].join("\n");
}

/** Returns a finding that is `ok`, or else has another state and a hint. */
function finding(
  name: string,
  value: string,
  isOk: boolean,
  otherwise: { readonly state?: "note" | "missing"; readonly hint: string },
): Finding {
  return isOk
    ? { name, state: "ok", value }
    : { name, state: otherwise.state ?? "note", value, hint: otherwise.hint };
}

function deno(): Finding {
  const { deno, v8, typescript } = Deno.version;
  const [major = 0, minor = 0] = deno.split(".").map(Number);
  return finding(
    "Deno",
    `${deno} (V8 ${v8}, TypeScript ${typescript})`,
    major > 2 || (major === 2 && minor >= 9),
    {
      state: "missing",
      hint: `Deno 2.9 or newer is required: npm install -g deno@${DENO_VERSION}`,
    },
  );
}

function platform(): Finding {
  const value = `${Deno.build.os} ${Deno.build.arch}, release ${Deno.osRelease()}`;
  return finding("system", value, value.startsWith("linux x86_64"), {
    hint: "tested on Linux x86_64 only; the npm package has libraries of other systems too",
  });
}

function packages(project: URL): Finding {
  const { imports } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", project))) as {
    imports: Record<string, string>;
  };
  const wanted = Object.values(imports).flatMap((specifier) => {
    const [, name, version] = specifier.match(/^npm:(.+)@([^@]+)$/) ?? [];
    return name !== undefined && version !== undefined ? [{ name, version }] : [];
  });
  const absent = wanted.filter(({ name, version }) => {
    const text = readText(new URL(`node_modules/${name}/package.json`, project));
    return text === undefined || JSON.parse(text).version !== version;
  }).map(({ name, version }) => `${name} ${version}`);
  const value = absent.length === 0
    ? `all ${wanted.length} in node_modules`
    : `not installed: ${absent.join(", ")}`;
  return finding("packages", value, absent.length === 0, { state: "missing", hint: "deno install" });
}

function library(): Finding {
  try {
    const value = `${ORT_VERSION}, ${libraryPath()}, ${buildInfo().replace(/^ORT Build Info: /, "")}`;
    return { name: "ONNX Runtime", state: "ok", value };
  } catch (error) {
    return { name: "ONNX Runtime", state: "missing", value: messageOf(error), hint: "deno install" };
  }
}

function cores(): Finding {
  const count = navigator.hardwareConcurrency;
  const limit = coreLimit({
    cpuMax: kernelText("/sys/fs/cgroup/cpu.max"),
    quota: kernelText("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
    period: kernelText("/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
  }) ?? count;
  const value = limit >= count ? `${count}` : `${count}, limited to ${limit} in this container`;
  return finding("cores", value, limit >= count, {
    hint: `use --threads ${Math.max(1, Math.floor(limit))}: more threads than cores are slower`,
  });
}

function instructionSets(): Finding {
  const text = kernelText("/proc/cpuinfo");
  if (text === undefined) {
    return { name: "processor", state: "note", value: "instruction sets are read on Linux only" };
  }
  const { model, sets } = readCpuInfo(text);
  return finding(
    "processor",
    `${model}: ${sets.join(", ")}`,
    sets.includes("avx2") || sets.includes("asimd"),
    {
      hint: "works without AVX2, but several times slower",
    },
  );
}

function memory(): Finding {
  const { total, available } = Deno.systemMemoryInfo();
  const limit = memoryLimit(
    kernelText("/sys/fs/cgroup/memory.max") ?? kernelText("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
  );
  const value = `${spellBytes(available)} free of ${spellBytes(total)}` +
    (limit === undefined ? "" : `, limited to ${spellBytes(limit)} in this container`);
  return finding("memory", value, Math.min(available, limit ?? Infinity) >= LITTLE_MEMORY_BYTES, {
    hint: "enough for the quickstart; a run prints its memory estimate when it starts",
  });
}

function disk(project: URL): Finding {
  const { bavail, bsize, blocks } = statfsSync(project);
  const value = `${spellBytes(bavail * bsize)} free of ${spellBytes(blocks * bsize)}`;
  return finding("disk", value, bavail * bsize >= LITTLE_DISK_BYTES, {
    hint: "use --run-dir and --store for another disk",
  });
}

function runsFolder(project: URL): Finding {
  const folder = new URL("runs/", project), path = decodeURIComponent(folder.pathname);
  try {
    Deno.mkdirSync(folder, { recursive: true });
    Deno.removeSync(Deno.makeTempFileSync({ dir: path, prefix: ".doctor-" }));
    return { name: "run directory", state: "ok", value: `${path} is writable` };
  } catch (error) {
    return {
      name: "run directory",
      state: "note",
      value: messageOf(error),
      hint: "use --run-dir for another directory",
    };
  }
}

function program({ name, usedBy, install }: typeof PROGRAMS[number]): Finding {
  const folders = (Deno.env.get("PATH") ?? "").split(delimiter).filter((folder) => folder !== "");
  const path = folders.map((folder) => join(folder, name)).find(isFile);
  return path !== undefined
    ? { name, state: "ok", value: path }
    : { name, state: "optional", value: `needed only for ${usedBy}`, hint: install };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function readText(path: string | URL): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined; // an unreadable file counts as absent
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

const HELP = `Checks this machine: Deno, packages, ONNX Runtime, processor, memory and disk.

Usage: deno task doctor [flags]

  --json     print a JSON array of findings
  --verbose  print stack traces of errors
  --help     print this text

Example:
  deno task doctor

Exit code: 0, or 69 if something required is missing.
`;

function main(args: readonly string[]): number {
  const flags = readFlags(args, { booleans: ["json"], maxWords: 0 });
  flags.check();
  const findings = examine(new URL("../../", import.meta.url));
  const colors = { isColorSupported: Deno.stdout.isTerminal() && !Deno.noColor };
  console.log(flags.has("json") ? JSON.stringify(findings, null, 2) : renderFindings(findings, colors));
  return findings.some(({ state }) => state === "missing") ? EXIT.unavailable : EXIT.ok;
}

if (import.meta.main) await runCommand(main, HELP);

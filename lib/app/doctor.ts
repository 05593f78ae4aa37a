/**
 * `deno task doctor`: what is installed, which ONNX Runtime library loads, what the machine has, what is missing and
 * how to get it. Exit code 69 if something is missing that the pipeline needs.
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { statfsSync } from "node:fs";
import { delimiter, join } from "node:path";
import pc from "picocolors";
import { libraryPath, ORT_VERSION } from "@/lib/ort/library.ts";
import { buildInfo } from "@/lib/ort/runtime.ts";
import { EXIT, UsageError } from "@/lib/tensor/errors.ts";
import { runCommand } from "./command.ts";
import { coreLimit, memoryLimit, readCpuInfo, spellBytes } from "./machine.ts";

/** One line of the report. */
export interface Finding {
  readonly name: string;
  /** `missing` fails the command; `note` is worth knowing; `optional` is absent and only some tasks want it */
  readonly state: "ok" | "note" | "optional" | "missing";
  readonly value: string;
  /** what to do about it */
  readonly hint?: string;
}

const DENO_VERSION = "2.9.6";
const LITTLE_MEMORY_BYTES = 2e9;
const LITTLE_DISK_BYTES = 2e9;

/** Programs that only some tasks start, and where Debian has them. */
const PROGRAMS: readonly { readonly name: string; readonly wantedBy: string; readonly from: string }[] = [
  { name: "podman", wantedBy: "deno task test:container", from: "apt-get install podman runc" },
  { name: "buildah", wantedBy: "deno task test:container", from: "apt-get install buildah" },
  {
    name: "debootstrap",
    wantedBy: "deno task test:container without a registry",
    from: "apt-get install debootstrap",
  },
  { name: "python3", wantedBy: "deno task test:interop", from: "apt-get install python3-venv" },
];

/** Examines this machine and this checkout (`project`: its root, as a URL that ends in a slash). */
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

/** The report for a person: one line per finding, what to do under it, and a verdict. */
export function renderFindings(findings: readonly Finding[], colors: { isColorSupported: boolean }): string {
  const paint = pc.createColors(colors.isColorSupported);
  const marks = {
    ok: paint.green("ok     "),
    note: paint.yellow("note   "),
    optional: paint.dim("absent "),
    missing: paint.red("MISSING"),
  };
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.flatMap(({ name, state, value, hint }) => [
    `${marks[state]} ${name.padEnd(width)}  ${value}`,
    ...(hint === undefined ? [] : [`${" ".repeat(8)}${" ".repeat(width)}  → ${hint}`]),
  ]);
  const missing = findings.filter(({ state }) => state === "missing").map(({ name }) => name);
  const verdict = missing.length === 0
    ? "Everything that the pipeline needs is here."
    : `Missing: ${missing.join(", ")}.`;
  return [...lines, "", verdict].join("\n");
}

function deno(): Finding {
  const { deno, v8, typescript } = Deno.version;
  const value = `${deno} (V8 ${v8}, TypeScript ${typescript})`;
  const [major = 0, minor = 0] = deno.split(".").map(Number);
  const old = major < 2 || (major === 2 && minor < 9);
  return old
    ? {
      name: "Deno",
      state: "missing",
      value,
      hint: `2.9 or newer is needed: npm install -g deno@${DENO_VERSION}`,
    }
    : { name: "Deno", state: "ok", value };
}

function platform(): Finding {
  const value = `${Deno.build.os} ${Deno.build.arch}, release ${Deno.osRelease()}`;
  return value.startsWith("linux x86_64") ? { name: "system", state: "ok", value } : {
    name: "system",
    state: "note",
    value,
    hint: "tested on Linux x86_64; the library comes from the same npm package",
  };
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
  return absent.length === 0
    ? { name: "packages", state: "ok", value: `all ${wanted.length} in node_modules` }
    : {
      name: "packages",
      state: "missing",
      value: `not installed: ${absent.join(", ")}`,
      hint: "deno install",
    };
}

function library(): Finding {
  const name = "ONNX Runtime";
  try {
    const path = libraryPath();
    return {
      name,
      state: "ok",
      value: `${ORT_VERSION}, ${path}, ${buildInfo().replace(/^ORT Build Info: /, "")}`,
    };
  } catch (error) {
    return {
      name,
      state: "missing",
      value: error instanceof Error ? error.message : String(error),
      hint: "deno install",
    };
  }
}

function cores(): Finding {
  const count = navigator.hardwareConcurrency;
  const limit = coreLimit({
    cpuMax: kernelText("/sys/fs/cgroup/cpu.max"),
    quota: kernelText("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
    period: kernelText("/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
  });
  const value = `${count}`;
  return limit === undefined || limit >= count ? { name: "cores", state: "ok", value } : {
    name: "cores",
    state: "note",
    value: `${value}, of which this container may use ${limit}`,
    hint: `--threads ${Math.max(1, Math.floor(limit))} keeps threads from waiting for each other`,
  };
}

function instructionSets(): Finding {
  const text = kernelText("/proc/cpuinfo");
  if (text === undefined) {
    return { name: "processor", state: "note", value: "instruction sets are read on Linux only" };
  }
  const { model, sets } = readCpuInfo(text);
  const value = `${model}: ${sets.join(", ")}`;
  return sets.includes("avx2") || sets.includes("asimd") ? { name: "processor", state: "ok", value } : {
    name: "processor",
    state: "note",
    value,
    hint: "without AVX2 everything works, several times slower",
  };
}

function memory(): Finding {
  const { total, available } = Deno.systemMemoryInfo();
  const limit = memoryLimit(
    kernelText("/sys/fs/cgroup/memory.max") ?? kernelText("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
  );
  const usable = Math.min(available, limit ?? Infinity);
  const value = `${spellBytes(available)} free of ${spellBytes(total)}` +
    (limit === undefined ? "" : `, this container may use ${spellBytes(limit)}`);
  return usable >= LITTLE_MEMORY_BYTES ? { name: "memory", state: "ok", value } : {
    name: "memory",
    state: "note",
    value,
    hint: "enough for the quickstart; a run says beforehand what it needs",
  };
}

function disk(project: URL): Finding {
  const { bavail, bsize, blocks } = statfsSync(project);
  const value = `${spellBytes(bavail * bsize)} free of ${spellBytes(blocks * bsize)}`;
  return bavail * bsize >= LITTLE_DISK_BYTES
    ? { name: "disk", state: "ok", value }
    : { name: "disk", state: "note", value, hint: "--run-dir and --store put a run on another disk" };
}

function runsFolder(project: URL): Finding {
  const folder = new URL("runs/", project);
  try {
    Deno.mkdirSync(folder, { recursive: true });
    Deno.removeSync(Deno.makeTempFileSync({ dir: decodeURIComponent(folder.pathname), prefix: ".doctor-" }));
    return {
      name: "run folder",
      state: "ok",
      value: `${decodeURIComponent(folder.pathname)} can be written`,
    };
  } catch (error) {
    const value = error instanceof Error ? error.message : String(error);
    return { name: "run folder", state: "note", value, hint: "--run-dir DIR writes a run elsewhere" };
  }
}

function program({ name, wantedBy, from }: typeof PROGRAMS[number]): Finding {
  const folders = (Deno.env.get("PATH") ?? "").split(delimiter).filter((folder) => folder !== "");
  const path = folders.map((folder) => join(folder, name)).find(isFile);
  return path !== undefined
    ? { name, state: "ok", value: path }
    : { name, state: "optional", value: `only for ${wantedBy}`, hint: from };
}

function readText(path: string | URL): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined; // what cannot be read is reported as unknown, not as an error of the doctor
  }
}

/** Text that the kernel makes. Deno itself reads /proc and /sys under --allow-all only, so `cat` reads them here. */
function kernelText(path: string): string | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const { success, stdout } = new Deno.Command("cat", { args: [path], stderr: "null" }).outputSync();
  return success ? new TextDecoder().decode(stdout) : undefined;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

const HELP = `deno task doctor [--json]

Says what is installed, which ONNX Runtime library loads, what this machine has, and what is missing.
Exit code 69 if something is missing that the pipeline needs.
`;

function main(): number {
  const unknown: string[] = [];
  const flags = parseArgs(Deno.args, {
    boolean: ["json", "help"],
    unknown: (arg) => (unknown.push(arg), false),
  });
  if (unknown.length > 0) {
    throw new UsageError(`Cannot examine as the flags must be --json or --help: ${unknown.join(", ")}`);
  }
  if (flags.help) {
    console.log(HELP);
    return EXIT.ok;
  }
  const findings = examine(new URL("../../", import.meta.url));
  const colors = { isColorSupported: Deno.stdout.isTerminal() && !Deno.noColor };
  console.log(flags.json ? JSON.stringify(findings, null, 2) : renderFindings(findings, colors));
  return findings.some(({ state }) => state === "missing") ? EXIT.unavailable : EXIT.ok;
}

if (import.meta.main) await runCommand(main);

/**
 * `deno task sbom`: writes the packages of this program as a software bill of materials in CycloneDX. Reads deno.lock and
 * node_modules, without network.
 * @module
 */
import { join } from "node:path";
import { readJsonObject } from "@/lib/data/files/json.ts";
import { statIfThere } from "@/lib/data/files/paths.ts";
import { printOut } from "@/lib/data/files/standard_output.ts";
import { writeWholeFile } from "@/lib/data/files/whole_file.ts";
import { EXIT } from "@/lib/compute/tensor/errors.ts";
import { runCommand, warn } from "./command.ts";
import { readFlags } from "./flags.ts";
import { projectRoot } from "./project_root.ts";
import { type PackageLock, type Sbom, sbomOf } from "./sbom.ts";

const HELP = `Writes the packages of this program as a software bill of materials: CycloneDX 1.6, JSON.

Usage: deno task sbom [PATH]

  PATH       below runs; default runs/sbom.json; - is standard output

  --verbose  print stack traces of errors
  --help     print this text

Examples:
  deno task sbom
  deno task --quiet sbom - > srppo.cdx.json

Names, versions and SHA-512 are those of deno.lock, licences those of node_modules. No network is used.
`;

/** Returns the bill of materials of this checkout. */
export function projectSbom(): Sbom {
  const lock = readJsonObject(join(projectRoot, "deno.lock")) as unknown as PackageLock;
  return sbomOf(lock, installedLicence, "0.1.0");
}

/** Returns the licence in the package.json of an installed package; undefined if it is not installed or has none. */
function installedLicence(name: string, version: string): unknown {
  const folder = join(projectRoot, "node_modules/.deno", `${name.replace("/", "+")}@${version}`);
  const path = join(folder, "node_modules", name, "package.json");
  return statIfThere(path) === undefined ? undefined : readJsonObject(path).license;
}

function main(args: readonly string[]): number {
  const flags = readFlags(args, { maxWords: 1 });
  flags.check();
  const [path = join(projectRoot, "runs/sbom.json")] = flags.words, sbom = projectSbom();
  const text = `${JSON.stringify(sbom, null, 2)}\n`;
  if (path === "-") printOut(text);
  else writeWholeFile(path, [new TextEncoder().encode(text)]);
  const unknown = sbom.components.filter(({ licenses }) => licenses === undefined);
  const rest = unknown.length === 0 ? "" : `; no licence: ${unknown.map(({ purl }) => purl).join(", ")}`;
  warn(`${path}: ${sbom.components.length} packages${rest}`);
  return EXIT.ok;
}

if (import.meta.main) await runCommand(main, HELP);

/**
 * The packages of this program as a software bill of materials in CycloneDX 1.6 (JSON): names, versions, digests and
 * dependencies from the lock file, licences from the installed packages.
 * @module
 */

/** The parts of deno.lock (version 5) that are used. */
export interface PackageLock {
  /** version of each package of deno.json, by specifier */
  readonly specifiers: Readonly<Record<string, string>>;
  readonly npm: Readonly<
    Record<string, { readonly integrity: string; readonly dependencies?: readonly string[] }>
  >;
}

/** A package as a component of CycloneDX. */
export interface Component {
  readonly type: "library" | "application";
  readonly "bom-ref": string;
  readonly group?: string;
  readonly name: string;
  readonly version: string;
  readonly purl?: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly (
    | { readonly license: { readonly id: string } | { readonly name: string } }
    | { readonly expression: string }
  )[];
}

/** A document of CycloneDX. Equal packages give equal documents: it has no time and no serial number. */
export interface Sbom {
  readonly $schema: string;
  readonly bomFormat: "CycloneDX";
  readonly specVersion: "1.6";
  readonly version: 1;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

const ROOT = "srppo";

/**
 * Returns the bill of materials of a lock file.
 * @param licenceOf returns the field `license` of an installed package, undefined without one
 * @param version of this program
 */
export function sbomOf(
  { npm, specifiers }: PackageLock,
  licenceOf: (name: string, version: string) => unknown,
  version: string,
): Sbom {
  const keys = Object.keys(npm).sort();
  const direct = Object.entries(specifiers).filter(([specifier]) => specifier.startsWith("npm:"))
    .map(([specifier, resolved]) => purlOf(`${splitKey(specifier.slice(4)).name}@${resolved}`));
  /** A dependency names the version only where the lock file has several. */
  const refOf = (dependency: string) =>
    purlOf(keys.includes(dependency) ? dependency : keys.find((key) => splitKey(key).name === dependency)!);
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: { type: "application", "bom-ref": ROOT, name: ROOT, version, licenses: licencesOf("MIT") },
    },
    components: keys.map((key) => {
      const { name, version } = splitKey(key), parts = name.split("/");
      const licence = licenceOf(name, version);
      return {
        type: "library",
        "bom-ref": purlOf(key),
        ...(parts.length > 1 && { group: parts[0]! }),
        name: parts.at(-1)!,
        version,
        purl: purlOf(key),
        hashes: [hashOf(npm[key]!.integrity)],
        ...(typeof licence === "string" && { licenses: licencesOf(licence) }),
      };
    }),
    dependencies: [
      { ref: ROOT, dependsOn: direct.sort() },
      ...keys.map((key) => ({
        ref: purlOf(key),
        dependsOn: (npm[key]!.dependencies ?? []).map(refOf).sort(),
      })),
    ],
  };
}

/** Splits `@scope/name@1.0.0` or `name@1.0.0_peer@2.0.0`. */
function splitKey(key: string): { readonly name: string; readonly version: string } {
  const at = key.indexOf("@", 1);
  return { name: key.slice(0, at), version: key.slice(at + 1).split("_")[0]! };
}

function purlOf(key: string): string {
  const { name, version } = splitKey(key);
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

/** Returns an integrity of npm, such as `sha512-…` in base64, as a hash of CycloneDX. */
function hashOf(integrity: string): { readonly alg: string; readonly content: string } {
  const [name, digest] = integrity.split("-", 2) as [string, string];
  return { alg: name.toUpperCase().replace("SHA", "SHA-"), content: Uint8Array.fromBase64(digest).toHex() };
}

function licencesOf(licence: string): NonNullable<Component["licenses"]> {
  if (/\b(AND|OR|WITH)\b/.test(licence)) return [{ expression: licence }];
  return [{ license: /^[A-Za-z0-9.+-]+$/.test(licence) ? { id: licence } : { name: licence } }];
}

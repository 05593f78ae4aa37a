/**
 * Finds the shared library of ONNX Runtime in npm `onnxruntime-node`. With `nodeModulesDir: auto` in deno.json it has a
 * fixed path inside the project, which permissions can name.
 * @module
 */
import { UnavailableError } from "@/lib/compute/tensor/errors.ts";

const PLATFORM: Readonly<Record<string, { folder: string; pattern: RegExp }>> = {
  linux: { folder: "linux", pattern: /^libonnxruntime\.so(\.\d+)*$/ },
  darwin: { folder: "darwin", pattern: /^libonnxruntime(\.\d+)*\.dylib$/ },
  windows: { folder: "win32", pattern: /^onnxruntime\.dll$/ },
};

/** Version of npm `onnxruntime-node` that the API table in `api.ts` was checked against. */
export const ORT_VERSION = "1.30.0";

/** Returns the folder of the library for this machine; it may not exist. */
function libraryFolder(): URL {
  const platform = PLATFORM[Deno.build.os]?.folder ?? Deno.build.os;
  const arch = Deno.build.arch === "x86_64" ? "x64" : "arm64";
  return new URL(`../../../node_modules/onnxruntime-node/bin/napi-v6/${platform}/${arch}/`, import.meta.url);
}

/**
 * Returns the path of the shared library.
 * @throws {UnavailableError} if the package is not installed or has no library for this platform
 */
export function libraryPath(): string {
  const folder = libraryFolder();
  const path = decodeURIComponent(folder.pathname);
  let names: string[] = [];
  try {
    names = [...Deno.readDirSync(folder)].map((entry) => entry.name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const name = names.filter((n) => PLATFORM[Deno.build.os]?.pattern.test(n)).sort().at(-1);
  if (name === undefined) {
    throw new UnavailableError(
      `ONNX Runtime is not installed: no library in ${path}. Run "deno install"`,
    );
  }
  return path + name;
}

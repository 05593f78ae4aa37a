/**
 * Loads the Rust library `tokenizers` as the native addon of npm `tokenizers`. The package's index.js is not used: it needs
 * permissions for environment variables and subprocesses, which stages do not have; the addon needs --allow-ffi only. The
 * import of package.json makes the package's version part of the digest of every stage that tokenizes.
 * @module
 */
import { createRequire } from "node:module";
import type * as Library from "tokenizers";
import "tokenizers/package.json" with { type: "json" };
import { reasonOf } from "@/lib/data/files/file_errors.ts";
import { UnavailableError } from "@/lib/compute/tensor/errors.ts";

/** The addons that Deno can load, by `Deno.build.target` (Deno's Linux builds need glibc). */
const ADDONS: Readonly<Record<string, string>> = {
  "x86_64-unknown-linux-gnu": "linux-x64-gnu",
  "aarch64-unknown-linux-gnu": "linux-arm64-gnu",
  "x86_64-apple-darwin": "darwin-x64",
  "aarch64-apple-darwin": "darwin-arm64",
  "x86_64-pc-windows-msvc": "win32-x64-msvc",
  "aarch64-pc-windows-msvc": "win32-arm64-msvc",
};

let loaded: typeof Library | undefined;

/**
 * Returns the library, which is loaded at first use.
 * @throws {UnavailableError} if there is no addon for this platform, or it cannot be loaded (not installed, no --allow-ffi)
 */
export function nativeLibrary(): typeof Library {
  if (loaded !== undefined) return loaded;
  const addon = ADDONS[Deno.build.target];
  if (addon === undefined) {
    throw new UnavailableError(
      `The npm package tokenizers has no addon for this platform, ${Deno.build.target}`,
    );
  }
  const path = new URL(`../../../node_modules/tokenizers/tokenizers.${addon}.node`, import.meta.url);
  try {
    loaded = createRequire(import.meta.url)(decodeURIComponent(path.pathname)) as typeof Library;
  } catch (cause) {
    throw new UnavailableError(
      `Cannot load the npm package tokenizers (requires "deno install" and --allow-ffi): ${reasonOf(cause)}`,
      { cause },
    );
  }
  return loaded;
}

/**
 * Loads the Rust library `tokenizers` as the addon that npm `tokenizers` ships. Its own index.js is passed by: it asks
 * for environment variables and for subprocesses, which a stage has no permission for; the addon needs --allow-ffi alone.
 * The import of package.json ties the package's version to the digest of every stage that tokenizes.
 * @module
 */
import { createRequire } from "node:module";
import type * as Library from "tokenizers";
import about from "tokenizers/package.json" with { type: "json" };
import { UnavailableError } from "@/lib/tensor/errors.ts";

/** The addons that Deno can load, by `Deno.build.target` (Deno's Linux builds need glibc). */
const ADDONS: Readonly<Record<string, string>> = {
  "x86_64-unknown-linux-gnu": "linux-x64-gnu",
  "aarch64-unknown-linux-gnu": "linux-arm64-gnu",
  "x86_64-apple-darwin": "darwin-x64",
  "aarch64-apple-darwin": "darwin-arm64",
  "x86_64-pc-windows-msvc": "win32-x64-msvc",
  "aarch64-pc-windows-msvc": "win32-arm64-msvc",
};

/** Version of npm `tokenizers`. */
export const TOKENIZERS_VERSION: string = about.version;

let loaded: typeof Library | undefined;

/**
 * The library, loaded at first use.
 * @throws {UnavailableError} if there is no addon for this platform, or it cannot be loaded (not installed, no --allow-ffi)
 */
export function nativeLibrary(): typeof Library {
  if (loaded !== undefined) return loaded;
  const addon = ADDONS[Deno.build.target];
  if (addon === undefined) {
    throw new UnavailableError(
      `Cannot load npm package tokenizers as it must have an addon for this platform: there is none for ${Deno.build.target}`,
    );
  }
  const path = new URL(`../../node_modules/tokenizers/tokenizers.${addon}.node`, import.meta.url);
  try {
    loaded = createRequire(import.meta.url)(decodeURIComponent(path.pathname)) as typeof Library;
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new UnavailableError(
      `Cannot load npm package tokenizers as it must be installed ("deno install") and permitted (--allow-ffi): ${what}`,
      { cause },
    );
  }
  return loaded;
}

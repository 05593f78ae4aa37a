/** Settings of downloads from the environment: the hub, the cache, and the hosts that need network permission. @module */
import { join } from "node:path";
import { UsageError } from "@/lib/compute/tensor/errors.ts";

/** The hub if HF_ENDPOINT is not set. */
const HUGGING_FACE = "https://huggingface.co";

/** Hosts of Hugging Face for large files. */
const STORAGE_HOSTS = ["*.huggingface.co", "*.hf.co"];

/**
 * Returns the address of the hub without a slash at its end.
 * @param endpoint HF_ENDPOINT
 * @throws {UsageError} if it is not an http address
 */
export function hubEndpoint(endpoint: string | undefined): string {
  const text = endpoint || HUGGING_FACE;
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? "")) return text.replace(/\/+$/, "");
  throw new UsageError(`HF_ENDPOINT must be an address that begins with https:// or http://, got ${text}`);
}

/**
 * Returns the hosts of a download in the format of `--allow-net`: that of the endpoint and, if it is public, those of large
 * files, to which it redirects.
 */
export function hubHosts(endpoint: string): string[] {
  const { host, hostname } = new URL(endpoint);
  if (/^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)) return [host];
  return [
    host,
    ...(/[a-z]/i.test(hostname) && !hostname.startsWith("[") ? [`*.${hostname}`] : []),
    ...STORAGE_HOSTS,
  ]
    .filter((one, k, all) => all.indexOf(one) === k);
}

/**
 * Returns the folder of downloaded models.
 * @param given `--hub-cache`, absolute
 * @throws {UsageError} if neither it nor a home directory is set
 */
export function hubCache(
  given: string | undefined,
  env: { readonly XDG_CACHE_HOME?: string | undefined; readonly HOME?: string | undefined },
): string {
  if (given !== undefined) return given;
  const home = env.XDG_CACHE_HOME || (env.HOME && join(env.HOME, ".cache"));
  if (home) return join(home, "srppo", "hub");
  throw new UsageError("Downloads require a folder for models: set --hub-cache or HOME");
}

/**
 * Returns HF_TOKEN after a check. Messages never show it.
 * @throws {UsageError} if it is not in the format of Hugging Face's tokens
 */
export function hubToken(token: string | undefined): string | undefined {
  if (!token) return undefined;
  if (token.startsWith("hf_")) return token;
  throw new UsageError("HF_TOKEN must begin with hf_");
}

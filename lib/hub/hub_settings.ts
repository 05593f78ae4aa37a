/** Where the hub is, where its models are kept, and which hosts a download talks to. Environment in, settings out. @module */
import { join } from "node:path";
import { UsageError } from "@/lib/tensor/errors.ts";

/** The hub that is asked unless HF_ENDPOINT names another. */
const HUGGING_FACE = "https://huggingface.co";

/** Hosts that Hugging Face sends downloads of large files to. */
const STORAGE_HOSTS = ["*.huggingface.co", "*.hf.co"];

/**
 * Address of the hub without a slash at its end.
 * @param endpoint HF_ENDPOINT
 * @throws {UsageError} if it is no http address
 */
export function hubEndpoint(endpoint: string | undefined): string {
  const text = endpoint || HUGGING_FACE;
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? "")) return text.replace(/\/+$/, "");
  throw new UsageError(
    `Cannot use HF_ENDPOINT as it must be an address that begins with https:// or http://: it is ${text}`,
  );
}

/**
 * Hosts that a download may talk to, as `--allow-net` spells them: the endpoint's own, and for one that others reach
 * those that store its large files, to which it redirects.
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
 * Folder where downloaded models are kept.
 * @param given `--hub-cache`, absolute
 * @throws {UsageError} if it is not given and there is no home
 */
export function hubCache(
  given: string | undefined,
  env: { readonly XDG_CACHE_HOME?: string | undefined; readonly HOME?: string | undefined },
): string {
  if (given !== undefined) return given;
  const home = env.XDG_CACHE_HOME || (env.HOME && join(env.HOME, ".cache"));
  if (home) return join(home, "srppo", "hub");
  throw new UsageError(
    "Cannot download as there must be a folder for models: neither --hub-cache nor HOME is given",
  );
}

/**
 * HF_TOKEN, checked without ever being shown.
 * @throws {UsageError} if it does not look like a token of Hugging Face
 */
export function hubToken(token: string | undefined): string | undefined {
  if (!token) return undefined;
  if (token.startsWith("hf_")) return token;
  throw new UsageError("Cannot use HF_TOKEN as a token must begin with hf_: it begins otherwise");
}

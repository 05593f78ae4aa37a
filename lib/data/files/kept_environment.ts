/**
 * The environment variables that a process gets from this program. Every child starts with an empty environment and these
 * names, so that tokens and secrets of the user's shell reach no process that has no use for them.
 * @module
 */
import { UsageError } from "@/lib/compute/tensor/errors.ts";

/** What every child gets: where programs and caches are, language, terminal, certificates, and the drivers of devices. */
export const BASE_ENVIRONMENT: readonly string[] = [
  ...["PATH", "HOME", "DENO_DIR", "DENO_NO_UPDATE_CHECK", "XDG_CACHE_HOME", "TMPDIR", "LANG", "TZ"],
  ...["TERM", "NO_COLOR", "SSL_CERT_FILE", "SSL_CERT_DIR", "DENO_CERT", "DENO_TLS_CA_STORE"],
  ...["VK_ICD_FILENAMES", "VK_DRIVER_FILES", "VK_ADD_DRIVER_FILES", "VK_LAYER_PATH", "VK_INSTANCE_LAYERS"],
  ...["VK_LOADER_DEBUG", "VK_LOADER_DRIVERS_SELECT", "VK_LOADER_DRIVERS_DISABLE", "XDG_RUNTIME_DIR"],
  ...["CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_TF32_OVERRIDE"],
  // What Windows needs to start any program.
  ...["SYSTEMROOT", "USERPROFILE", "LOCALAPPDATA", "TEMP", "TMP"],
];

/** What a command gets beside it from its launcher: the user's directory, and what decides about colours and logs. */
export const COMMAND_ENVIRONMENT: readonly string[] = [
  ...["LOG_TOKENS", "LOG_STREAM", "INIT_CWD", "FORCE_COLOR", "CI", "COLORTERM"],
];

/** What a download gets beside it: the hub's settings and the proxies. */
export const DOWNLOAD_ENVIRONMENT: readonly string[] = [
  ...["HF_TOKEN", "HF_ENDPOINT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"],
  ...["http_proxy", "https_proxy", "all_proxy", "no_proxy"],
];

/** What the programs of executors get beside the base list: the clients of Slurm, SSH and containers. */
export const EXECUTOR_ENVIRONMENT: readonly string[] = [
  ...["SLURM_CONF", "SLURM_JWT", "SLURM_CLUSTERS", "USER", "LOGNAME", "SSH_AUTH_SOCK", "DOCKER_HOST"],
  ...["CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "CONTAINER_HOST"],
];

/**
 * Returns the value of a variable, undefined if it is not set.
 * @throws {UsageError} if it is not UTF-8, without the value, which may be a secret
 */
export function environmentValue(name: string): string | undefined {
  try {
    return Deno.env.get(name);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.InvalidData)) throw cause;
    const what = name === "INIT_CWD" ? "The path of the working directory" : `Environment variable ${name}`;
    throw new UsageError(`${what} must be UTF-8, got other bytes`, { cause });
  }
}

/**
 * Returns those of the variables that are set and that this process may read, each with its value.
 * @throws {UsageError} for one that is not UTF-8
 */
export function readEnvironment(names: readonly string[]): Record<string, string> {
  const values = [...new Set(names)].map((name) => {
    const { state } = Deno.permissions.querySync({ name: "env", variable: name });
    return [name, state === "granted" ? environmentValue(name) : undefined] as const;
  });
  return Object.fromEntries(values.filter((pair): pair is [string, string] => pair[1] !== undefined));
}

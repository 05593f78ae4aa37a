/**
 * Selects entries of deno.lock: those of some packages and of everything that they depend on.
 * @module
 */

/** The parts of a lock file, version 5, that are read here. */
export interface LockFile {
  readonly specifiers?: Readonly<Record<string, string>>;
  readonly npm?: Readonly<Record<string, NpmEntry>>;
}

interface NpmEntry {
  readonly integrity?: string;
  readonly dependencies?: readonly string[];
  readonly optionalDependencies?: readonly string[];
}

/**
 * Returns integrity by `name@version` for `specifiers` (`npm:zod@4.6.7`, with or without a path after it) and all their
 * dependencies. A specifier that the lock file does not have is its own entry.
 */
export function lockEntries(lock: LockFile, specifiers: Iterable<string>): Record<string, string> {
  const npm = lock.npm ?? {};
  const byName = new Map<string, string>();
  for (const id of Object.keys(npm)) byName.set(nameOf(id), id);
  const entries: Record<string, string> = {};
  const queue: string[] = [];
  for (const specifier of specifiers) {
    const request = /^(?:npm|jsr):\/?((?:@[^/@]+\/)?[^/@]+(?:@[^/]+)?)/.exec(specifier)?.[0] ?? specifier;
    const version = lock.specifiers?.[request.replace(":/", ":")];
    const name = nameOf(request.replace(/^\w+:\/?/, ""));
    const id = version === undefined ? byName.get(name) : `${name}@${version}`;
    if (request.startsWith("jsr:") || id === undefined || !npm[id]) entries[request] = version ?? "unlocked";
    else queue.push(id);
  }
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    const entry = npm[id];
    if (!entry || Object.hasOwn(entries, id)) continue;
    entries[id] = entry.integrity ?? "";
    for (const dependency of [...entry.dependencies ?? [], ...entry.optionalDependencies ?? []]) {
      // The lock file names a dependency without its version if there is only one version.
      queue.push(npm[dependency] ? dependency : byName.get(nameOf(dependency)) ?? dependency);
    }
  }
  return entries;
}

function nameOf(id: string): string {
  const end = id.indexOf("@", 1);
  return end < 0 ? id : id.slice(0, end);
}

/**
 * The part of deno.lock that some packages stand for: themselves and all that they depend on, with integrity.
 * @module
 */

/** What is read of a lock file, version 5. */
export interface LockFile {
  readonly specifiers?: Readonly<Record<string, string>>;
  readonly npm?: Readonly<Record<string, NpmEntry>>;
  readonly jsr?: Readonly<Record<string, unknown>>;
}

interface NpmEntry {
  readonly integrity?: string;
  readonly dependencies?: readonly string[];
  readonly optionalDependencies?: readonly string[];
}

/**
 * Integrity by `name@version` for the closure of `specifiers` (`npm:zod@4.6.7`, with or without a path behind it).
 * A specifier that the lock does not know stands for itself.
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
      // The lock names a dependency without its version where there is one version only.
      queue.push(npm[dependency] ? dependency : byName.get(nameOf(dependency)) ?? dependency);
    }
  }
  return entries;
}

function nameOf(id: string): string {
  const end = id.indexOf("@", 1);
  return end < 0 ? id : id.slice(0, end);
}

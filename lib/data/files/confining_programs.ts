/**
 * The two programs of util-linux that confine a process of a user's module: `setpriv`, which ends it with its parent, and
 * `prlimit`, which limits its memory.
 * @module
 */

/** Where Debian, Alpine and Fedora have them. */
const FOLDERS = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/** Absolute paths of the programs. */
export interface ConfiningPrograms {
  readonly setpriv: string;
  readonly prlimit: string;
}

/** Returns the programs' paths; undefined if one is missing, or this process may not read it. */
export function confiningPrograms(): ConfiningPrograms | undefined {
  const [setpriv, prlimit] = ["setpriv", "prlimit"].map((name) =>
    FOLDERS.map((folder) => `${folder}/${name}`).find(isThere)
  );
  return setpriv && prlimit ? { setpriv, prlimit } : undefined;
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

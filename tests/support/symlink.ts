/**
 * Makes symbolic links in tests. `Deno.symlink()` wants read and write on the whole disk; the test task grants
 * neither, so `ln` makes them.
 * @module
 */

/** Makes `path` a symbolic link that says `target`. */
export function symlink(target: string, path: string): void {
  const { success, stderr } = new Deno.Command("ln", { args: ["-s", "--", target, path] }).outputSync();
  if (!success) {
    throw new Error(`Cannot make ${path} a link to ${target}: ${new TextDecoder().decode(stderr)}`);
  }
}

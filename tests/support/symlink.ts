/**
 * Makes symbolic links in tests. `Deno.symlink()` requires read and write permission for the whole disk, which the test task
 * does not have, so `ln` makes them.
 * @module
 */

/** Makes `path` a symbolic link to `target`. */
export function symlink(target: string, path: string): void {
  const { success, stderr } = new Deno.Command("ln", { args: ["-s", "--", target, path] }).outputSync();
  if (!success) {
    throw new Error(`Could not link ${path} to ${target}: ${new TextDecoder().decode(stderr)}`);
  }
}

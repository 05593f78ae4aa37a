/**
 * Prints the path of the Deno that runs this. Tasks name it in `--allow-run`, because under `npx` the `deno` on PATH is
 * not the file that `Deno.execPath()` returns.
 * @module
 */
console.log(Deno.execPath());

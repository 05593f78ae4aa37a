/**
 * Prints the path of the Deno that runs this: tasks name it in `--allow-run`, because under `npx` the `deno` on PATH is
 * another file than the one that `Deno.execPath()` gives.
 * @module
 */
console.log(Deno.execPath());

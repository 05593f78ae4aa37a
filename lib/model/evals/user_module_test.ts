import { assert, assertEquals, assertRejects } from "@std/assert";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { DataError, TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import {
  callForEach,
  callWithAll,
  checkUserModule,
  InvalidValue,
  type UserModuleLimits,
} from "./user_module.ts";

const CHECK = { name: "check", what: "checker" };

/** Returns what the function `check` of a module with this source returns for each argument list. */
async function resultsOf(source: string, lists: unknown[][], limits: UserModuleLimits = {}) {
  using directory = new TemporaryDirectory();
  return await callForEach({ ...CHECK, path: directory.write("check.ts", source) }, lists, limits);
}

Deno.test("callForEach() calls a module's function for every argument list, in order", async () => {
  const lists = Array.from({ length: 2500 }, (_, i) => [{ i }, { add: 1 }]);
  const source = "export const check = async ({ i }: any, { add }: any) => ({ score: i + add });";
  assertEquals(await resultsOf(source, lists), lists.map((_, i) => ({ score: i + 1 })));
});

Deno.test("callForEach(): what JSON cannot hold comes back as InvalidValue", async () => {
  const source = "const all = [NaN, undefined, -Infinity, () => 1]; export const check = (i) => all[i];";
  const values = await resultsOf(source, [[0], [1], [2], [3]]);
  assert(values.every((value) => value instanceof InvalidValue));
  assertEquals(values.map(String), ["NaN", "undefined", "-Infinity", "function"]);
});

Deno.test("a user's module reaches no foreign function, environment, file, network or subprocess", async () => {
  const attempts = {
    ffi: 'Deno.dlopen("libc.so.6", {})',
    env: 'Deno.env.get("PATH")',
    read: 'Deno.readTextFileSync("/etc/hostname")',
    write: 'Deno.writeTextFileSync("/tmp/srppo_attack", "")',
    run: 'new Deno.Command("true").outputSync()',
    kill: 'Deno.kill(Deno.ppid, "SIGKILL")',
    nodeKill: '(await import("node:process")).default.kill(Deno.ppid, "SIGKILL")',
    local: 'await import(new URL("./other.ts", import.meta.url).href)',
    host: "Deno.readTextFileSync(new URL(Deno.mainModule))",
    nodeFfi: 'process.dlopen({ exports: {} }, "/lib/x86_64-linux-gnu/libc.so.6")',
    net: 'await Deno.connect({ hostname: "127.0.0.1", port: 1 })',
    remote: 'await import("https://example.com/a.js")',
    npm: 'await import("npm:zod")',
  };
  const source = `const attempts = { ${
    Object.entries(attempts).map(([name, code]) => `${name}: async () => { ${code}; }`).join(", ")
  } };
  export async function check(name) {
    try { await attempts[name](); } catch (error) { return error.constructor.name + ": " + error.message; }
    return "it worked";
  }`;
  const names = Object.keys(attempts);
  const results = await resultsOf(source, names.map((name) => [name])) as string[];
  for (const [i, name] of names.entries()) {
    assert(/NotCapable|TypeError/.test(results[i]!), `${name}: ${results[i]}`);
  }
});

Deno.test("a user's module that imports from the network or from npm does not load", async () => {
  for (const specifier of ["https://example.com/a.js", "npm:zod"]) {
    const source = `import "${specifier}"; export const check = () => ({ score: 1 });`;
    const { message } = await assertRejects(() => resultsOf(source, []), UsageError);
    assert(message.startsWith("Failed to load checker "), message);
  }
});

Deno.test("a user's module is stopped when it takes too long, too much memory, or the run is stopped", async () => {
  const forever = "export function check() { for (;;); }";
  const late = await assertRejects(() => resultsOf(forever, [[]], { batchMs: 400 }), DataError);
  assert(late.message.includes("must return within 0.4 s per batch of 1024"), late.message);
  const greedy =
    "export function check() { const all = []; for (;;) all.push(new Array(1e6).fill(Math.random())); }";
  const full = await assertRejects(() => resultsOf(greedy, [[]], { memoryBytes: 700 * 2 ** 20 }), DataError);
  assert(full.message.includes("memory limit 700 MiB"), full.message);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 200);
  await assertRejects(() => resultsOf(forever, [[]], { signal: controller.signal }), TryAgainError);
});

Deno.test("a user's module that throws, ends its process or has no such function is one clear error", async () => {
  const throws = await assertRejects(
    () => resultsOf('export function check(i) { if (i > 0) throw new Error("no"); return 1; }', [[0], [1]]),
    DataError,
  );
  assert(throws.message.endsWith("failed: no"), throws.message);
  assertEquals(throws.where.row, 1);
  const exits = await assertRejects(
    () => resultsOf("export function check() { Deno.exit(3); }", [[]]),
    DataError,
  );
  assert(exits.message.includes("must not end its process, got exit code 3"), exits.message);
  const other = await assertRejects(() => resultsOf("export const score = 1;", [[]]), UsageError);
  assert(other.message.endsWith('must export a function "check", got score'), other.message);
});

Deno.test("callWithAll() calls a module's function once with all rows", async () => {
  using directory = new TemporaryDirectory();
  const source = "let calls = 0; export const check = (rows) => [++calls, rows.length, rows.at(-1)];";
  const check = { ...CHECK, path: directory.write("check.js", source) };
  const rows = Array.from({ length: 5000 }, (_, i) => i);
  assertEquals(await callWithAll(check, rows), [1, 5000, 4999]);
  assertEquals(
    await callWithAll(check, []),
    [1, 0, null].map((value, i) => i < 2 ? value : new InvalidValue("undefined")),
  );
});

Deno.test("what a user's module prints does not disturb its results", async () => {
  const source = `export function check(i) {
    console.log("hello"); console.table([1]);
    Deno.stdout.writeSync(new TextEncoder().encode("{\\"value\\":[7]}\\n"));
    return i;
  }`;
  assertEquals(await resultsOf(source, [[1], [2]]), [1, 2]);
});

Deno.test("a user's module that writes replies of its own, or closes its output, is an error", async () => {
  const write = 'import { writeSync } from "node:fs"; export function check() { writeSync(1, "[\\n"); }';
  const wrong = await assertRejects(() => resultsOf(write, [[]]), DataError);
  assert(wrong.message.includes("must not write to standard output"), wrong.message);
  const close = 'import { closeSync } from "node:fs"; export function check() { closeSync(1); for (;;); }';
  await assertRejects(() => resultsOf(close, [[]], { batchMs: 3000 }), DataError);
  const long = 'export const check = () => "x".repeat(70 * 2 ** 20);';
  await assertRejects(() => resultsOf(long, [[]]), DataError);
});

Deno.test("checkUserModule() refuses a module that does not exist, and a path with a comma", async () => {
  using directory = new TemporaryDirectory();
  const absent = await assertRejects(
    () => checkUserModule({ ...CHECK, path: directory.file("absent.ts") }),
    UsageError,
  );
  assert(
    absent.message.startsWith(`Failed to load checker ${directory.file("absent.ts")}: `),
    absent.message,
  );
  const path = directory.write("a,b.ts", "export const check = 1;");
  const comma = await assertRejects(() => checkUserModule({ ...CHECK, path }), UsageError);
  assertEquals(comma.message, `The path of a module must have no comma, got ${path}`);
});

Deno.test("without setpriv and prlimit, a user's module is refused with the package's name", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.write("check.ts", "export const check = () => ({ score: 1 });");
  // A process that may not read the programs, as in a run without them.
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...[
        "run",
        "--quiet",
        "--no-prompt",
        "--no-check",
        "--cached-only",
        `--allow-read=${Deno.cwd()},${directory.path}`,
      ],
      directory.write(
        "stage.ts",
        `import { checkUserModule } from "@/lib/model/evals/user_module.ts";
         import { exitCodeOf } from "@/lib/compute/tensor/errors.ts";
         await checkUserModule({ path: ${JSON.stringify(path)}, name: "check", what: "checker" })
           .catch((error) => console.error(exitCodeOf(error), error.message));`,
      ),
    ],
  }).output();
  assertEquals(
    new TextDecoder().decode(stderr).trim(),
    `69 checker ${path} runs in a confined process, which requires the programs setpriv and prlimit: install util-linux`,
  );
});

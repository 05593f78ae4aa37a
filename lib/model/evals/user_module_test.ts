import { assert, assertEquals, assertRejects } from "@std/assert";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { DataError, TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { InvalidValue, openUserModule, type UserModuleLimits } from "./user_module.ts";

const CHECK = { name: "check", what: "checker" };

async function called(source: string, lists: unknown[][], limits: UserModuleLimits = {}) {
  using directory = new TemporaryDirectory();
  await using module = await openUserModule(directory.write("check.ts", source), CHECK, limits);
  return await module.call(lists);
}

Deno.test("openUserModule() calls a module's function for every argument list, in order", async () => {
  const lists = Array.from({ length: 2500 }, (_, i) => [{ i }, { add: 1 }]);
  const source = "export const check = async ({ i }: any, { add }: any) => ({ score: i + add });";
  assertEquals(await called(source, lists), lists.map((_, i) => ({ score: i + 1 })));
});

Deno.test("openUserModule(): what JSON cannot hold comes back as InvalidValue", async () => {
  const source = "const all = [NaN, undefined, -Infinity, () => 1]; export const check = (i) => all[i];";
  const values = await called(source, [[0], [1], [2], [3]]);
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
  const results = await called(source, names.map((name) => [name])) as string[];
  for (const [i, name] of names.entries()) {
    assert(/NotCapable|TypeError/.test(results[i]!), `${name}: ${results[i]}`);
  }
});

Deno.test("a user's module that imports from the network or from npm does not load", async () => {
  for (const specifier of ["https://example.com/a.js", "npm:zod"]) {
    const source = `import "${specifier}"; export const check = () => ({ score: 1 });`;
    const { message } = await assertRejects(() => called(source, []), UsageError);
    assert(message.includes("does not load"), message);
  }
});

Deno.test("a user's module is stopped when it takes too long, too much memory, or the run is stopped", async () => {
  const forever = "export function check() { for (;;); }";
  const late = await assertRejects(() => called(forever, [[]], { batchMs: 400 }), DataError);
  assert(late.message.includes("must return within 0.4 s per batch of 1024"), late.message);
  const greedy =
    "export function check() { const all = []; for (;;) all.push(new Array(1e6).fill(Math.random())); }";
  const full = await assertRejects(() => called(greedy, [[]], { memoryBytes: 400 * 2 ** 20 }), DataError);
  assert(full.message.includes("memory limit 400 MiB"), full.message);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 200);
  await assertRejects(() => called(forever, [[]], { signal: controller.signal }), TryAgainError);
});

Deno.test("a user's module that throws, ends its process or has no such function is one clear error", async () => {
  const throws = await assertRejects(
    () => called('export function check(i) { if (i > 0) throw new Error("no"); return 1; }', [[0], [1]]),
    DataError,
  );
  assert(throws.message.endsWith("must not throw: no"), throws.message);
  assertEquals(throws.where.row, 1);
  const exits = await assertRejects(
    () => called("export function check() { Deno.exit(3); }", [[]]),
    DataError,
  );
  assert(exits.message.includes("must not end its process: got exit code 3"), exits.message);
  const other = await assertRejects(() => called("export const score = 1;", [[]]), UsageError);
  assert(other.message.endsWith('must export a function "check": it exports score'), other.message);
});

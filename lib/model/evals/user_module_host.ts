/**
 * The program in which a user's module runs: a process without foreign functions, network, environment and subprocesses.
 * In: `MODULE FUNCTION`, then JSON lines on standard input, each a list of argument lists. Out: a JSON line each: the list of
 * what the function returned, or an error. `user_module.ts` starts it and knows the other end. It has no imports, because it
 * runs without the project's configuration.
 * @module
 */

const [path, name] = Deno.args as [string, string];
const encoder = new TextEncoder();

/** What JSON lacks is sent as a text under this key, so that the other end can say what it got. */
function encodable(_key: string, value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) return { $invalid: String(value) };
  if (value === undefined) return { $invalid: "undefined" };
  if (typeof value === "bigint" || typeof value === "function" || typeof value === "symbol") {
    return { $invalid: typeof value };
  }
  return value;
}

function send(message: unknown): void {
  const bytes = encoder.encode(JSON.stringify(message, encodable) + "\n");
  for (let sent = 0; sent < bytes.length;) sent += Deno.stdout.writeSync(bytes.subarray(sent));
}

const textOf = (error: unknown) => error instanceof Error ? error.message : String(error);

// Standard output belongs to the protocol.
for (const method of ["log", "info", "debug", "table", "dir"] as const) console[method] = console.error;

/** Answers every line of standard input. */
async function serve(call: (...args: unknown[]) => unknown): Promise<void> {
  let rest = "";
  for await (const part of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + part).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const values: unknown[] = [];
      try {
        for (const args of JSON.parse(line) as unknown[][]) values.push(await call(...args));
        send({ values });
      } catch (error) {
        send({ error: textOf(error), at: values.length });
      }
    }
  }
}

try {
  const module: Record<string, unknown> = await import(path);
  const found = module[name];
  if (typeof found === "function") {
    send({ ready: true });
    await serve(found as (...args: unknown[]) => unknown);
  } else send({ missing: Object.keys(module) });
} catch (error) {
  send({ failed: textOf(error) });
}

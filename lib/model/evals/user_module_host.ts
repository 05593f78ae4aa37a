/**
 * The program in which a user's module runs: a process without foreign functions, network, environment and subprocesses.
 * In: `MODULE FUNCTION each|all`, then JSON lines on standard input. With `each`, a line is a list of argument lists, and each
 * line is answered; with `all`, lines are rows until the line `null`, which is answered. Out: a JSON line each: what the
 * function returned, or an error. `user_module.ts` starts it and knows the other end. It has no imports, because it runs
 * without the project's configuration.
 * @module
 */

const [path, name, mode] = Deno.args as [string, string, string];
const encoder = new TextEncoder();
const output = Deno.stdout;

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
  for (let sent = 0; sent < bytes.length;) sent += output.writeSync(bytes.subarray(sent));
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

type UserCall = (...args: unknown[]) => unknown;

/** Answers every line with what the function returned for each argument list. */
async function answerEach(call: UserCall, line: string): Promise<void> {
  const value: unknown[] = [];
  try {
    for (const args of JSON.parse(line) as unknown[][]) value.push(await call(...args));
    send({ value });
  } catch (error) {
    send({ error: textOf(error), at: value.length });
  }
}

/** Collects rows; answers `null` with what the function returned for all of them. */
function collector(call: UserCall): (line: string) => Promise<void> {
  const rows: unknown[] = [];
  return async (line) => {
    try {
      const batch = JSON.parse(line) as unknown[] | null;
      for (const row of batch ?? []) rows.push(row);
      if (batch === null) send({ value: await call(rows) });
    } catch (error) {
      send({ error: textOf(error) });
    }
  };
}

async function serve(take: (line: string) => Promise<void>): Promise<void> {
  let parts: string[] = [];
  for await (const part of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = part.split("\n");
    for (const line of lines.slice(0, -1)) {
      parts.push(line);
      await take(parts.join(""));
      parts = [];
    }
    parts.push(lines.at(-1)!);
  }
}

// Standard output belongs to the protocol: what a module prints goes to standard error.
for (const method of ["log", "info", "debug", "table", "dir"] as const) console[method] = console.error;
Object.defineProperty(Deno, "stdout", { value: Deno.stderr });

try {
  const module: Record<string, unknown> = await import(path);
  const found = module[name];
  if (typeof found === "function") {
    send({ ready: true });
    const call = found as UserCall;
    await serve(mode === "all" ? collector(call) : (line) => answerEach(call, line));
  } else send({ missing: Object.keys(module) });
} catch (error) {
  send({ failed: textOf(error) });
}

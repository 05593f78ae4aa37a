/**
 * The process of a served model: it loads the model of its argument, completes the requests that arrive on standard input, and
 * writes parts and results to standard output. It ends when its standard input does, so with the server, however that ends.
 * @module
 */
import { configureCompute } from "@/lib/compute/devices/configure.ts";
import { EXIT, exitCodeOf } from "@/lib/compute/tensor/errors.ts";
import type { CompletionChoice } from "@/lib/model/serve/completion.ts";
import { Engine } from "@/lib/model/serve/engine.ts";
import { linesOf } from "@/lib/pipeline/engine/lines_of.ts";
import type { EngineInput, EngineOutput, EngineSettings } from "./engine_messages.ts";
import { STOP_SIGNALS } from "./stopping.ts";

const encoder = new TextEncoder();
let lines: string[] = [];

/** Writes a message; those of one decoding step are written together. */
function send(message: EngineOutput): void {
  if (lines.push(JSON.stringify(message) + "\n") === 1) queueMicrotask(flush);
}

function flush(): void {
  let bytes = encoder.encode(lines.join(""));
  lines = [];
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}

async function main(): Promise<void> {
  const settings: EngineSettings = JSON.parse(Deno.args[0]!);
  // The server decides when this process ends: a terminal sends Ctrl-C to all processes.
  for (const name of STOP_SIGNALS) Deno.addSignalListener(name, () => {});
  let engine: Engine;
  try {
    configureCompute(settings, (line) => console.error(`Model ${settings.directory}: ${line}`));
    engine = await Engine.load(settings.directory, { ...settings, clock: () => new Date() });
  } catch (error) {
    return send({ failed: (error as Error).message, exitCode: exitCodeOf(error) });
  }
  send({ ready: true });
  const active = new Map<number, AbortController>();
  for await (const line of linesOf(Deno.stdin.readable)) {
    const input: EngineInput = JSON.parse(line);
    if ("cancel" in input) {
      active.get(input.cancel)?.abort();
      continue;
    }
    const { id, request } = input, controller = new AbortController(), { signal } = controller;
    active.set(id, controller);
    const onPart = (part: CompletionChoice) => send({ id, part });
    engine.complete(request, { signal, onPart })
      .then((completion) => send({ id, completion }))
      .catch((error) => {
        const exitCode = exitCodeOf(error);
        if (!signal.aborted) send({ id, error: (error as Error).message, exitCode });
        // The state of native code is unknown: the next request starts a new process.
        if (exitCode === EXIT.internal && !signal.aborted) queueMicrotask(() => Deno.exit(EXIT.internal));
      })
      .finally(() => active.delete(id));
  }
}

if (import.meta.main) {
  await main();
  flush();
  Deno.exit(EXIT.ok);
}

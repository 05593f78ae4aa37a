/** A server with models, as `deno task serve --model` starts it, on a free port. @module */
import { readServeFlags, serve } from "@/lib/app/serve_command.ts";
import { processExecutor } from "@/lib/pipeline/executors/process_executor.ts";
import { projectRoot } from "@/lib/app/project_root.ts";
import { stages } from "@/lib/app/registry.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";

/** A running server. */
export interface ModelServer {
  /** without a slash at its end */
  readonly address: string;
  /** printed lines */
  readonly lines: readonly string[];
  /** Stops the server as SIGTERM does. @returns its exit code */
  readonly stop: () => Promise<number>;
}

/** Calls `test` with a server for the command line `args`, and stops it at the end. */
export async function withModelServer(
  args: readonly string[],
  test: (server: ModelServer) => Promise<void>,
  token?: string,
): Promise<void> {
  using directory = new TemporaryDirectory();
  const flags = readServeFlags(["--port", "0", "--threads", "1", "--memory", "4GB", ...args], {});
  const stopping = new AbortController(), lines: string[] = [];
  const { promise: address, resolve } = Promise.withResolvers<string>();
  const ended = serve({ ...flags, data: directory.path }, {
    stages,
    executor: processExecutor({ stages, root: projectRoot }),
    token,
    stop: stopping.signal,
    print(line) {
      lines.push(line);
      const found = /on (http:\S+) /.exec(line);
      if (found) resolve(found[1]!);
    },
  });
  const stop = () => {
    stopping.abort();
    return ended;
  };
  try {
    await test({ address: await Promise.race([address, ended.then(() => "")]), lines, stop });
  } finally {
    await stop();
  }
}

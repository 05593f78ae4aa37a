/**
 * `deno task test:fuzz [--cases N] [READER…]`: every reader of bytes from elsewhere gets mutated valid files and random bytes.
 * Only errors of the project with exit code 64 or 65 may come out, each case within 10 s and all within 3 GB. Prints the counts
 * of each reader; failing cases are written to runs/fuzz.
 * @module
 */
import type { FuzzReport, FuzzTask } from "./fuzz_worker.ts";
import { mutated } from "./mutate.ts";
import { READERS } from "./readers.ts";

const HANG_MS = 10_000, MAX_BYTES = 3 * 2 ** 30;

interface Result {
  read: number;
  refused: number;
  readonly failed: { readonly number: number; readonly problem: string }[];
}

async function fuzz(reader: string, cases: number): Promise<Result> {
  const result: Result = { read: 0, refused: 0, failed: [] };
  const directory = Deno.makeTempDirSync({ dir: "runs/fuzz" });
  let from = 0;
  while (from < cases) {
    from = await runWorker({ reader, from, to: cases, directory, at: new SharedArrayBuffer(4) }, result);
  }
  Deno.removeSync(directory, { recursive: true });
  return result;
}

/** Runs cases in a worker. @returns the first case that it has not tried: after one that never ends, the next */
function runWorker(task: FuzzTask, result: Result): Promise<number> {
  const worker = new Worker(new URL("./fuzz_worker.ts", import.meta.url), { type: "module" });
  const current = new Int32Array(task.at);
  current[0] = task.from;
  const { promise, resolve } = Promise.withResolvers<number>();
  const fail = (problem: string): void => {
    const number = Atomics.load(current, 0);
    result.failed.push({ number, problem });
    resolve(number + 1);
  };
  let last = -1, since = performance.now();
  const timer = setInterval(() => {
    const number = Atomics.load(current, 0);
    if (number !== last) [last, since] = [number, performance.now()];
    else if (performance.now() - since > HANG_MS) fail(`took more than ${HANG_MS} ms`);
    if (Deno.memoryUsage().rss > MAX_BYTES) fail(`took more than ${MAX_BYTES} bytes`);
  }, 200);
  worker.onmessage = ({ data }: MessageEvent<FuzzReport>) => {
    if (data.type === "failed") result.failed.push(data);
    else {
      result.read += data.read;
      result.refused += data.refused;
      resolve(task.to);
    }
  };
  worker.onerror = (event) => {
    event.preventDefault();
    fail(event.message);
  };
  worker.postMessage(task);
  return promise.finally(() => {
    clearInterval(timer);
    worker.terminate();
  });
}

const args = [...Deno.args], at = args.indexOf("--cases");
const cases = at < 0 ? 10_000 : Number(args.splice(at, 2)[1]);
Deno.mkdirSync("runs/fuzz", { recursive: true });
let failures = 0;
for (const reader of args.length > 0 ? args : Object.keys(READERS)) {
  const startedAt = performance.now();
  const { read, refused, failed } = await fuzz(reader, cases);
  failures += failed.length;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(
    `${reader}: ${cases} cases, ${read} read, ${refused} refused, ${failed.length} failed (${seconds} s)`,
  );
  for (const { number, problem } of failed.slice(0, 10)) {
    Deno.writeFileSync(`runs/fuzz/${reader}_${number}`, mutated(READERS[reader]!.samples, number));
    console.log(
      `  case ${number} (runs/fuzz/${reader}_${number}): ${problem.split("\n").slice(0, 4).join("\n    ")}`,
    );
  }
}
Deno.exit(failures === 0 ? 0 : 1);

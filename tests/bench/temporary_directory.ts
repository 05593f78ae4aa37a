/** Temporary directories of benchmarks, below `runs/`. @module */
import { join } from "node:path";
import { projectRoot } from "@/lib/app/project_root.ts";

/** Calls `work` with an empty directory and removes the directory afterwards. */
export async function inTemporaryDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const parent = join(projectRoot, "runs");
  Deno.mkdirSync(parent, { recursive: true });
  const directory = Deno.makeTempDirSync({ dir: parent, prefix: "bench-" });
  try {
    return await work(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/**
 * A stand-in for a Slurm cluster on this machine: `sbatch`, `squeue` and `scancel` as shell scripts, which start jobs at once
 * in the background. `deno task test:slurm` runs the same executor on a real cluster.
 * @module
 */
import { join } from "node:path";
import type { TemporaryDirectory } from "./temporary_directory.ts";

const SBATCH = `#!/bin/sh
# Arguments: options, then the batch script.
here=$(dirname "$0")
until mkdir "$here/lock" 2>/dev/null; do sleep 0.01; done
id=$(($(cat "$here/last" 2>/dev/null || echo 0) + 1))
echo $id >"$here/last"
rmdir "$here/lock"
echo "$@" >"$here/$id.arguments"
for script; do :; done
if [ -e "$here/refuse" ]; then echo "sbatch: error: Batch job submission failed: Invalid partition" >&2; exit 1; fi
if [ -s "$here/next" ]; then
  # The first state of the list is that of this job, which never runs.
  head -n 1 "$here/next" >"$here/$id.state"
  sed -i 1d "$here/next"
else
  setsid sh "$script" >/dev/null 2>&1 </dev/null &
  echo $! >"$here/$id.pid"
fi
echo "$id"
`;

const SQUEUE = `#!/bin/sh
here=$(dirname "$0")
for argument; do case "$argument" in --jobs=*) id=\${argument#--jobs=} ;; esac; done
if [ -e "$here/$id.state" ]; then cat "$here/$id.state"
elif [ ! -e "$here/$id.pid" ]; then echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1
elif kill -0 "$(cat "$here/$id.pid")" 2>/dev/null; then echo RUNNING
else echo COMPLETED
fi
`;

const SCANCEL = `#!/bin/sh
here=$(dirname "$0")
for id; do :; done
echo "$@" >>"$here/cancelled"
pid=$(cat "$here/$id.pid" 2>/dev/null) || exit 0
case "$*" in
  *--signal=TERM*) kill -TERM "$pid" ;;
  *) kill -KILL -- "-$pid"; echo CANCELLED >"$here/$id.state" ;;
esac
`;

/** A fake cluster in a directory. */
export class FakeSlurm {
  readonly path: string;

  constructor(directory: TemporaryDirectory) {
    this.path = directory.file("slurm");
    Deno.mkdirSync(this.path);
    for (const [name, text] of Object.entries({ sbatch: SBATCH, squeue: SQUEUE, scancel: SCANCEL })) {
      Deno.writeTextFileSync(join(this.path, name), text, { mode: 0o755 });
    }
  }

  /** Lets the next jobs end in these states without running. */
  failNext(states: readonly string[]): void {
    Deno.writeTextFileSync(join(this.path, "next"), states.map((state) => `${state}\n`).join(""));
  }

  /** Lets sbatch refuse every job from now on. */
  refuse(): void {
    Deno.writeTextFileSync(join(this.path, "refuse"), "");
  }

  /** Returns the arguments of all jobs so far. */
  submitted(): string[] {
    const ids = Array.from(Deno.readDirSync(this.path), ({ name }) => name).filter((name) =>
      name.endsWith(".arguments")
    );
    return ids.sort((a, b) => parseInt(a) - parseInt(b)).map((name) =>
      Deno.readTextFileSync(join(this.path, name)).trim()
    );
  }

  /** Sends SIGTERM to the last job with this name, as at preemption. */
  terminate(name: string): void {
    const index = this.submitted().findLastIndex((job) => job.includes(`--job-name=${name}`));
    const pid = Deno.readTextFileSync(join(this.path, `${index + 1}.pid`)).trim();
    new Deno.Command("bash", { args: ["-c", `kill -TERM ${pid}`] }).outputSync();
  }

  /** Returns the arguments of all calls of scancel so far. */
  cancelled(): string[] {
    try {
      return Deno.readTextFileSync(join(this.path, "cancelled")).trim().split("\n");
    } catch {
      return [];
    }
  }
}

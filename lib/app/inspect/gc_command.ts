/** `deno task gc`: removes results from a store that no kept run names. @module */
import { printOut } from "@/lib/data/files/standard_output.ts";
import { Store } from "@/lib/pipeline/engine/store.ts";
import { StoreUsers } from "@/lib/pipeline/engine/store_users.ts";
import { findUnused, removeUnused } from "@/lib/pipeline/engine/unused_results.ts";
import { bytes, counted } from "@/lib/report/format.ts";
import { EXIT, TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { exists } from "@/lib/data/files/paths.ts";
import { runCommand } from "../command.ts";
import { readFlags } from "../flags.ts";
import { namedRun, requireRunLock, storeOf } from "./inspected_run.ts";

const HELP = `Removes results from a store that the last runs of the named run directories do not use.

Usage: deno task gc RUN… [flags]

  RUN          run directory whose results are kept

  --store DIR  store; default <first run dir>/store
  --delete     delete; without it, print what would be deleted
  --verbose    print stack traces of errors
  --help       print this text

Examples:
  deno task gc runs/quickstart
  deno task gc runs/a runs/b --store /data/store --delete

A store that several runs share keeps only the results of the runs that are named.
Exit codes: 0, 64 invalid flags or no run there, 75 the store is in use.
`;

function main(args: readonly string[]): number {
  const flags = readFlags(args, { booleans: ["delete"], strings: ["store"] });
  if (flags.words.length === 0) flags.problems.push("expected at least one run directory to keep");
  flags.check();
  const runs = flags.words.map(namedRun);
  const kept = new Set(runs.flatMap((run) => Object.values(requireRunLock(run).nodes).map(({ key }) => key)));
  const storeDir = storeOf(runs[0]!, flags.text("store"));
  if (!exists(storeDir)) throw new UsageError(`Expected a store, got ${storeDir}`);
  const store = new Store(storeDir);
  using users = new StoreUsers(storeDir);
  const isAlone = users.ifAlone(() => {
    const unused = findUnused(store, kept), isDeleted = flags.has("delete");
    if (isDeleted) removeUnused(unused);
    const list = unused.records.map(({ key, parts, finished }) =>
      `${parts.stage} ${key.slice(0, 12)}, made ${finished}\n`
    );
    const verb = isDeleted ? "Deleted" : "Would delete";
    const rest = isDeleted || unused.paths.length === 0 ? "" : ". Delete with --delete";
    printOut(
      `${list.join("")}${verb} ${counted(unused.records.length, "result")}, ${bytes(unused.bytes)}${rest}\n`,
    );
  });
  if (!isAlone) throw new TryAgainError(`Store ${storeDir} is in use by a run`);
  return EXIT.ok;
}

if (import.meta.main) await runCommand(main, HELP);

/**
 * `deno task stage`: lists the stages; `deno task stage NAME …` runs one of them on files.
 * @module
 */
import type { Stage } from "@/lib/data/contracts/stage.ts";
import { printOut } from "@/lib/data/files/standard_output.ts";
import { stageHelp } from "@/lib/pipeline/engine/stage_help.ts";
import { runStageProgram } from "@/lib/pipeline/engine/stage_program.ts";
import { EXIT } from "@/lib/compute/tensor/errors.ts";
import { isHelp, runCommand } from "./command.ts";
import { workingDirectory } from "./parent.ts";
import { stages } from "./registry.ts";
import { largest } from "@/lib/compute/tensor/large_lists.ts";

/** Returns what `--help` prints: usage, and one line per stage. */
function help(all: readonly Stage[]): string {
  const width = largest(all.map(({ id }) => id.length));
  return `Runs one stage of a pipeline on files.

Usage: deno task stage NAME --in.PORT PATH --out.PORT PATH [--PARAM VALUE]

${all.map(({ id, summary }) => `  ${id.padEnd(width)}  ${summary}\n`).join("")}
Every stage also takes these:
  --grace SECONDS  time from SIGTERM until it is killed; default 25
  --keep-env NAME  additional environment variable; repeatable

PORT is the name of an input or output, PARAM the name of a parameter. deno task stage NAME --help lists those of one
stage; deno task stage (without NAME) lists those of all stages.

Example:
  deno task stage tokenize --in.demonstrations demos.jsonl --in.model base --out.train train.arrow --out.report report
`;
}

/** Returns the help of every stage. */
function catalogue(all: readonly Stage[]): string {
  return all.map((stage) => `${stage.id}\n${indent(stageHelp(stage, `deno task stage ${stage.id}`))}`).join(
    "\n",
  );
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "  ");
}

async function main([name, ...rest]: readonly string[]): Promise<number> {
  if (name === undefined || isHelp([name])) {
    const all = await Promise.all((await stages.list()).map(stages.load));
    printOut(name === undefined ? catalogue(all) : help(all));
    return EXIT.ok;
  }
  return await runStageProgram(await stages.load(name), {
    args: rest,
    command: `deno task stage ${name}`,
    workingDirectory: workingDirectory(),
  });
}

if (import.meta.main) await runCommand(main);

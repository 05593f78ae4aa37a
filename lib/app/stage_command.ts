/**
 * `deno task stage`: lists the stages; `deno task stage NAME …` runs one alone, on files.
 * @module
 */
import type { Stage } from "@/lib/contracts/stage.ts";
import { printOut } from "@/lib/files/standard_output.ts";
import { stageHelp } from "@/lib/pipeline/stage_help.ts";
import { runStageProgram } from "@/lib/pipeline/stage_program.ts";
import { EXIT } from "@/lib/tensor/errors.ts";
import { runCommand } from "./command.ts";
import { workingDirectory } from "./parent.ts";
import { listStages, loadStage } from "./registry.ts";

/** The catalogue: every stage with its inputs, outputs and parameters. */
export function catalogue(all: readonly Stage[]): string {
  const parts = all.map((stage) => `${stage.id}\n${indent(stageHelp(stage, `deno task stage ${stage.id}`))}`);
  return `${parts.join("\n")}\nRun one: deno task stage NAME --in.x PATH --out.y PATH --param value …\n`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "  ");
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h") {
    const all = await Promise.all((await listStages()).map(loadStage));
    printOut(catalogue(all));
    return EXIT.ok;
  }
  return await runStageProgram(await loadStage(name), {
    args: rest,
    command: `deno task stage ${name}`,
    workingDirectory: workingDirectory(),
  });
}

if (import.meta.main) await runCommand(main);

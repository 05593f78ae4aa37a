/**
 * The log of one stage as text: when its nodes started and why, their progress, warnings, metrics and ends.
 * @module
 */
import type { NodeName, RunEvent } from "@/lib/data/contracts/events.ts";
import { duration, significant } from "@/lib/report/format.ts";
import { nearest } from "@/lib/pipeline/engine/suggest.ts";
import { UsageError } from "@/lib/compute/tensor/errors.ts";

/** A stage, all of its copies or iterations or one of them. */
export interface LoggedStage {
  /** `ppo.update` */
  readonly stage: string;
  /** copy or iteration, from 0; undefined: all */
  readonly number?: number;
}

/**
 * Reads the name of a stage as users write it: `sft`, `ppo.update`, `ppo.update[3]`.
 * @param events of a run that has the stage
 * @throws {UsageError} if the run has no such stage
 */
export function loggedStage(name: string, events: readonly RunEvent[]): LoggedStage {
  const [, stage = name, number] = /^(.*?)(?:\[(\d+)\])?$/.exec(name) ?? [];
  const known = new Set(events.flatMap((event) => {
    if (event.type === "run_started") return event.nodes.map((node) => node.stage);
    return "uses" in event ? [event.stage] : [];
  }));
  if (!known.has(stage)) {
    const near = nearest(stage, [...known]);
    const hint = near === undefined ? `known are ${[...known].join(", ")}` : `did you mean "${near}"?`;
    throw new UsageError(`Expected a stage of the run, got "${name}", ${hint}`);
  }
  return { stage, ...(number === undefined ? {} : { number: Number(number) }) };
}

/** Returns the line of `event` in the log of `logged`; undefined if it is not about it. */
export function logLine(event: RunEvent, logged: LoggedStage): string | undefined {
  if (!("uses" in event) || event.stage !== logged.stage) return undefined;
  if (logged.number !== undefined && numberOf(event) !== logged.number) return undefined;
  const text = textOf(event);
  if (text === undefined) return undefined;
  const number = numberOf(event), name = number === undefined ? event.stage : `${event.stage}[${number}]`;
  return `${new Date(event.time).toISOString()} ${name}: ${text}`;
}

function textOf(event: RunEvent & NodeName): string | undefined {
  switch (event.type) {
    case "stage_started":
      return `started: ${event.reason}`;
    case "stage_cached":
      return `cached, made in ${duration(event.seconds)}${
        (event.warnings ?? []).map((w) => `; warning: ${w}`).join("")
      }`;
    case "stage_progress": {
      const { step, total, message, warning, fields } = event;
      const parts = [
        ...(warning === undefined ? [] : [`warning: ${warning}`]),
        ...(message === undefined ? [] : [message]),
        ...(step === undefined ? [] : [`step ${step}${total === undefined ? "" : `/${total}`}`]),
        ...valuesOf(fields ?? {}),
      ];
      return parts.length === 0 ? undefined : parts.join(", ");
    }
    case "metrics":
      return valuesOf(event.values).join(", ");
    case "stage_finished":
      return `finished in ${duration(event.seconds)}`;
    case "stage_failed":
      return `failed with exit code ${event.exit_code}: ${event.message}`;
    default:
      return undefined;
  }
}

function valuesOf(values: Readonly<Record<string, number>>): string[] {
  return Object.entries(values).map(([name, value]) => `${name} ${significant(value, 4)}`);
}

function numberOf({ index, iteration }: NodeName): number | undefined {
  return index ?? iteration;
}

/**
 * The text of a stage's `--help`: inputs, outputs and parameters with type, unit, range, default and its source, all from
 * the stage's definition.
 * @module
 */
import { z } from "zod";
import type { Port, Stage } from "@/lib/data/contracts/stage.ts";
import { contractsOf } from "./ports.ts";
import { largest } from "@/lib/compute/tensor/large_lists.ts";

interface JsonProperty {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonProperty[];
  readonly items?: JsonProperty;
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly unit?: string;
  readonly source?: string;
}

/** Returns the help text of `stage`, which `command` (`deno task stage sft`) starts. */
export function stageHelp(stage: Stage, command: string): string {
  const schema = z.toJSONSchema(stage.params, { io: "input", unrepresentable: "any" }) as {
    properties?: Record<string, JsonProperty>;
    required?: string[];
  };
  const params = Object.entries(schema.properties ?? {}).map(([name, property]) =>
    [
      `--${name} ${typeText(property)}`,
      parameterText(property, schema.required?.includes(name) ?? false),
    ] as const
  );
  const sections = [
    `${stage.summary}\n\nUsage: ${command} [flags]`,
    section(
      "Inputs (contract: description; docs/contracts.md describes the contracts)",
      Object.entries(stage.inputs).map(([name, port]) => [inputFlag(name, port), portText(port)]),
    ),
    section(
      "Outputs (contract: description)",
      Object.entries(stage.outputs).map(([name, port]) => [`--out.${name} PATH`, portText(port)]),
    ),
    section("Parameters (unit, default, range; source of the default, ours: chosen by this project)", params),
    section("Other", [
      ...(stage.random ? RANDOM_FLAGS : []),
      ["--threads N", "CPU threads; default all cores"],
      ["--device NAME", "device that computes: cpu, webgpu (experimental) or auto; default cpu"],
      ["--scratch DIR", "directory for the state from which an interrupted stage resumes"],
      ["--verbose", "print progress, and stack traces of errors"],
      ["--help", "print this text"],
    ]),
  ];
  return `${sections.filter((text) => text !== "").join("\n\n")}\n`;
}

const RANDOM_FLAGS = [
  ["--seed N", "random seed of this stage (run.lock.yaml has those of a pipeline run); default 0"],
  ["--iteration N", "number of the loop iteration, counted from 0; default 0"],
] as const;

function section(title: string, rows: readonly (readonly [string, string])[]): string {
  if (rows.length === 0) return "";
  const width = Math.min(34, largest(rows.map(([flag]) => flag.length)));
  const lines = rows.map(([flag, text]) =>
    flag.length > width ? `  ${flag}\n  ${" ".repeat(width)}  ${text}` : `  ${flag.padEnd(width)}  ${text}`
  );
  return `${title}\n${lines.join("\n")}`;
}

function inputFlag(name: string, port: Port): string {
  if (port.many === "map") return `--in.${name}.NAME PATH`;
  return port.many === "list" ? `--in.${name} PATH …` : `--in.${name} PATH`;
}

function portText(port: Port): string {
  return `${contractsOf(port).join(" or ")}${port.optional ? ", optional" : ""}: ${port.description}`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  integer: "N",
  number: "X",
  boolean: "[true|false]",
  string: "TEXT",
};

function typeText(property: JsonProperty): string {
  if (property.const !== undefined) return String(property.const);
  if (property.enum) return property.enum.map(String).join("|");
  if (property.anyOf) return property.anyOf.map(typeText).join("|");
  if (property.items) return `${typeText(property.items)},…`;
  const types = typeof property.type === "string" ? [property.type] : property.type ?? ["VALUE"];
  return types.map((type) => TYPE_NAMES[type] ?? type).join("|");
}

function parameterText(property: JsonProperty, required: boolean): string {
  const inner = property.anyOf?.find((p) => p.type !== "null") ?? property;
  const standard = property.default === undefined ? "no default" : `default ${defaultText(property.default)}`;
  const facts = [
    property.unit === undefined || property.unit === "1" ? "" : property.unit,
    required ? "required" : standard,
    inner.exclusiveMinimum !== undefined ? `> ${inner.exclusiveMinimum}` : "",
    inner.minimum !== undefined && inner.minimum > Number.MIN_SAFE_INTEGER ? `≥ ${inner.minimum}` : "",
    inner.exclusiveMaximum !== undefined ? `< ${inner.exclusiveMaximum}` : "",
    inner.maximum !== undefined && inner.maximum < Number.MAX_SAFE_INTEGER ? `≤ ${inner.maximum}` : "",
  ].filter((text) => text !== "");
  const source = property.source === undefined ? "" : `; ${property.source}`;
  return `${property.description ?? ""} (${facts.join(", ")}${source})`;
}

/** Returns a default value as text: JSON, with small numbers as `1e-6`. */
export function defaultText(value: unknown): string {
  const isSmall = typeof value === "number" && value !== 0 && Math.abs(value) < 1e-3;
  return isSmall ? value.toExponential() : JSON.stringify(value);
}

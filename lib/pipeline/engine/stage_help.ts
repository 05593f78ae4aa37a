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
      "Inputs",
      Object.entries(stage.inputs).map(([name, port]) => [inputFlag(name, port), portText(port)]),
    ),
    section(
      "Outputs",
      Object.entries(stage.outputs).map(([name, port]) => [`--out.${name} PATH`, portText(port)]),
    ),
    section("Parameters", params),
    section("Other", [
      ...(stage.random ? RANDOM_FLAGS : []),
      ["--threads N", "number of threads; default: all cores"],
      ["--scratch DIR", "directory in which an interrupted stage keeps what it needs to resume"],
      ["--verbose", "print progress, and stack traces with errors"],
    ]),
  ];
  return `${sections.filter((text) => text !== "").join("\n\n")}\n`;
}

const RANDOM_FLAGS = [
  ["--seed N", "seed of this stage, as in run.lock.yaml; default 0"],
  ["--iteration N", "iteration within a loop; default 0"],
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
  boolean: "",
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
  const standard = property.default === undefined
    ? "no default"
    : `default ${JSON.stringify(property.default)}`;
  const facts = [
    property.unit ?? "",
    required ? "required" : standard,
    inner.exclusiveMinimum !== undefined ? `> ${inner.exclusiveMinimum}` : "",
    inner.minimum !== undefined && inner.minimum > Number.MIN_SAFE_INTEGER ? `≥ ${inner.minimum}` : "",
    inner.exclusiveMaximum !== undefined ? `< ${inner.exclusiveMaximum}` : "",
    inner.maximum !== undefined && inner.maximum < Number.MAX_SAFE_INTEGER ? `≤ ${inner.maximum}` : "",
    property.source === undefined ? "" : `from ${property.source}`,
  ].filter((text) => text !== "");
  return `${property.description ?? ""} (${facts.join(", ")})`;
}

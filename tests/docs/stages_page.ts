/** docs/stages.md: ports and parameters of every stage, from the stages themselves. @module */
import { z } from "zod";
import type { Port, Stage } from "@/lib/contracts/stage.ts";
import { contractsOf } from "@/lib/pipeline/ports.ts";
import { table } from "./markdown.ts";

/** What the page uses of a parameter's JSON Schema. */
interface Property {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Property[];
  readonly items?: Property;
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly unit?: string;
  readonly source?: string;
}

const HEAD = `# Stages

Made by \`deno task docs\` from the stages themselves; \`deno task stage NAME --help\` prints the same.

Inputs are given with \`--in.NAME PATH\` (a list: the flag several times; a map: \`--in.NAME.KEY PATH\`), outputs with
\`--out.NAME PATH\`, parameters with \`--NAME VALUE\`. In a manifest they stand under \`in\` and \`with\`; outputs are
referred to as \`STAGE.NAME\`. The contracts are described in [contracts.md](contracts.md). Stages that draw random
numbers take \`--seed\` and \`--iteration\`; all take \`--threads\` and \`--scratch\`. How a stage goes about its work stands in the
README of its folder in [stages](../stages).`;

/** The page, not formatted. */
export function stagesPage(stages: readonly Stage[]): string {
  const overview = table(
    ["stage", "what it does", "draws random numbers"],
    stages.map(({ id, summary, random }) => [`[\`${id}\`](#${id})`, summary, random ? "yes" : "no"]),
  );
  return [HEAD, overview, ...stages.map(section)].join("\n\n") + "\n";
}

function section(stage: Stage): string {
  const parameters = parameterRows(stage);
  return [
    `## ${stage.id}`,
    stage.summary,
    table(["input", "contract", "what it is"], portRows(stage.inputs)),
    table(["output", "contract", "what it is"], portRows(stage.outputs)),
    parameters.length === 0 ? "It has no parameters." : table(
      ["parameter", "type", "unit", "default", "what it is", "where the default comes from"],
      parameters,
    ),
  ].join("\n\n");
}

function portRows(ports: Readonly<Record<string, Port>>): string[][] {
  return Object.entries(ports).map(([name, port]) => {
    const many = port.many === undefined ? "" : port.many === "list" ? ", a list" : ", a map of names";
    return [
      `\`${name}\`${port.optional ? "?" : ""}`,
      contractsOf(port).map((contract) => `\`${contract}\``).join(" or ") + many,
      port.description,
    ];
  });
}

function parameterRows(stage: Stage): string[][] {
  const { properties = {} } = z.toJSONSchema(stage.params, { io: "input" }) as {
    properties?: Record<string, Property>;
  };
  return Object.entries(properties).map(([name, property]) => [
    `\`${name}\``,
    [typeOf(property), ...boundsOf(property)].join(", "),
    property.unit ?? "–",
    property.default === undefined ? "must be given" : `\`${JSON.stringify(property.default)}\``,
    property.description ?? "",
    property.source ?? "",
  ]);
}

const TYPES: Readonly<Record<string, string>> = {
  integer: "whole number",
  boolean: "true, false",
  string: "text",
};

function typeOf(property: Property): string {
  if (property.enum) return property.enum.map((value) => `\`${value}\``).join(", ");
  if (property.anyOf) return property.anyOf.map(typeOf).join(" or ");
  if (property.items) return `list of ${typeOf(property.items)}`;
  return TYPES[property.type ?? ""] ?? property.type ?? "any";
}

/** Bounds that are not just those of a whole number as JavaScript has them. */
function boundsOf(property: Property): string[] {
  const inner = property.anyOf?.find(({ type }) => type !== "null") ?? property;
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = inner;
  return [
    exclusiveMinimum === undefined ? "" : `> ${exclusiveMinimum}`,
    minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? "" : `≥ ${minimum}`,
    exclusiveMaximum === undefined ? "" : `< ${exclusiveMaximum}`,
    maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? "" : `≤ ${maximum}`,
  ].filter((text) => text !== "");
}

/**
 * The request of `POST /stages/<id>`: checks the JSON body against a stage's ports and parameters and resolves locations
 * to paths below the data root. An error lists all problems.
 * @module
 */
import { z } from "zod";
import { reachedHosts } from "@/lib/data/contracts/reached_hosts.ts";
import type { InputPaths, Port, Stage } from "@/lib/data/contracts/stage.ts";
import { whatIsMissing } from "@/lib/data/files/file_pattern.ts";
import { contractsOf } from "@/lib/pipeline/engine/ports.ts";
import { suggestion } from "@/lib/pipeline/engine/suggest.ts";
import { DataError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { type DataRoot, resolveFiles, resolveLocation } from "./data_root.ts";
import { exists } from "./exists.ts";
import { append } from "@/lib/compute/tensor/large_lists.ts";

const Location = z.string().describe("path relative to the data root; for data files also a pattern");

/** The body of a request. Locations of a list port are an array, those of a map port an object. */
export const RunBody = z.strictObject({
  params: z.record(z.string(), z.unknown()).default({}).describe("parameters of the stage"),
  inputs: z.record(z.string(), z.union([Location, z.array(Location), z.record(z.string(), Location)]))
    .default({})
    .describe("location of every input port"),
  outputs: z.record(z.string(), Location).default({}).describe(
    "location of every output port; must not exist yet",
  ),
  seed: z.int().min(0).default(0).describe("random seed of the stage"),
  iteration: z.int().min(0).default(0).describe("iteration within a loop"),
});

/** A valid request: absolute paths, parameters with their defaults. */
export interface RunRequest {
  readonly params: Readonly<Record<string, unknown>>;
  readonly inputs: InputPaths;
  /** every output port of the request, absolute */
  readonly outputs: Readonly<Record<string, string>>;
  readonly seed: number;
  readonly iteration: number;
}

/**
 * Reads `body` (parsed JSON) as a request for `stage`.
 * @param allowedHosts `host:port` that parameters may name. The caller chooses the parameters, but the server makes the
 * connection, so all other hosts are refused
 * @throws {UsageError} if it is invalid, listing every problem
 * @throws {DataError} if it is valid and an input does not exist
 */
export function readRunRequest(
  stage: Stage,
  body: unknown,
  root: DataRoot,
  allowedHosts: readonly string[] = [],
): RunRequest {
  const parsed = RunBody.safeParse(body);
  if (!parsed.success) throw refusal(stage, issues(parsed.error, ""));
  const { seed, iteration } = parsed.data;
  const problems: string[] = [];
  const params = stage.params.safeParse(parsed.data.params);
  if (params.success) append(problems, hostProblems(params.data, allowedHosts));
  else append(problems, issues(params.error, "params"));
  append(problems, portProblems("inputs", stage.inputs, parsed.data.inputs));
  append(problems, portProblems("outputs", stage.outputs, parsed.data.outputs));

  function path(location: string, resolve = resolveLocation): string {
    try {
      return resolve(root, location);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      problems.push(error.message);
      return location;
    }
  }
  const inputs = mapValues(
    parsed.data.inputs,
    (value, port) => {
      const input = stage.inputs[port];
      const resolve = input !== undefined && contractsOf(input).includes("file")
        ? resolveFiles
        : resolveLocation;
      if (typeof value === "string") return path(value, resolve);
      if (Array.isArray(value)) return value.map((location) => path(location, resolve));
      return mapValues(value, (location) => path(location, resolve));
    },
  );
  const outputs = mapValues(parsed.data.outputs, (location) => path(location));
  // Only if all locations are valid: whether a path outside the data root exists is not revealed.
  const taken = problems.length > 0 ? [] : Object.entries(outputs).filter(([, place]) => exists(place));
  append(problems, taken.map(([port]) => `outputs.${port}: "${parsed.data.outputs[port]}" already exists`));
  const places = Object.values(outputs);
  if (new Set(places).size < places.length) problems.push("outputs: every port must have its own location");
  if (problems.length > 0 || !params.success) throw refusal(stage, problems);

  const missing = Object.entries(inputs).flatMap(([port, value]) =>
    (typeof value === "string" ? [value] : Object.values(value)).flatMap((place) =>
      whatIsMissing(place).map((what) =>
        `inputs.${port}: "${place.slice(root.path.length + 1)}" ` +
        (what === "not found" ? "does not exist" : `(${what.replaceAll(`${root.path}/`, "")})`)
      )
    )
  );
  if (missing.length > 0) {
    throw new DataError(`Missing inputs of ${stage.id}: ${listed(missing)}`);
  }
  return { params: params.data, inputs, outputs, seed, iteration };
}

function refusal(stage: Stage, problems: readonly string[]): UsageError {
  return new UsageError(
    `Invalid request for ${stage.id}: ${listed(problems)}`,
  );
}

function issues(error: z.ZodError, prefix: string): string[] {
  return error.issues.map((issue) => {
    const path = [...(prefix === "" ? [] : [prefix]), ...issue.path.map(String)].join(".");
    return `${path === "" ? "body" : path}: ${issue.message}`;
  });
}

function hostProblems(params: Readonly<Record<string, unknown>>, allowed: readonly string[]): string[] {
  return Object.entries(params).flatMap(([name, value]) =>
    reachedHosts({ [name]: value }).filter((host) => !allowed.includes(host)).map((host) =>
      `params.${name}: host ${host} is not allowed (see --allow-host of the server)`
    )
  );
}

function portProblems(
  kind: "inputs" | "outputs",
  ports: Readonly<Record<string, Port>>,
  given: Readonly<Record<string, unknown>>,
): string[] {
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(ports, name))
    .map((name) => `${kind}.${name}: unknown port${suggestion(name, Object.keys(ports))}`);
  const known = Object.entries(ports).flatMap(([name, port]) => {
    const value = given[name];
    // An optional output is one that is not always written: it still needs a location.
    if (value === undefined) return port.optional && kind === "inputs" ? [] : [`${kind}.${name}: missing`];
    if (kind === "outputs") return [];
    const shape = typeof value === "string" ? undefined : Array.isArray(value) ? "list" : "map";
    // A single location is a list of one.
    if (shape === port.many || (shape === undefined && port.many === "list")) return [];
    return [
      `${kind}.${name}: expects ${port.many === undefined ? "one location" : `a ${port.many} of locations`}`,
    ];
  });
  return [...unknown, ...known];
}

function mapValues<A, B>(
  record: Readonly<Record<string, A>>,
  f: (value: A, key: string) => B,
): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value, key)]));
}

/**
 * The request of `POST /stages/<id>`: checks the JSON body against a stage's ports and parameters and resolves locations
 * to paths below the data root. An error lists all problems.
 * @module
 */
import { z } from "zod";
import { reachedHosts } from "@/lib/data/contracts/reached_hosts.ts";
import { usedModules } from "@/lib/data/contracts/user_modules.ts";
import type { InputPaths, Port, Stage } from "@/lib/data/contracts/stage.ts";
import { findingMissing } from "@/lib/data/files/file_pattern.ts";
import { inSlices } from "@/lib/data/files/in_slices.ts";
import { contractsOf } from "@/lib/pipeline/engine/ports.ts";
import { suggestion } from "@/lib/pipeline/engine/suggest.ts";
import { DataError, TryAgainError, UsageError } from "@/lib/compute/tensor/errors.ts";
import { listed } from "@/lib/compute/tensor/listed.ts";
import { type DataRoot, realPath, resolveLocation, resolvingFiles } from "./data_root.ts";
import { InputWalk } from "./input_states.ts";
import { outputProblems } from "./output_problems.ts";
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
  /** where the outputs are with all links resolved */
  readonly places: readonly string[];
  /** path, size and modification time of every file of the inputs */
  readonly states: readonly unknown[];
  readonly seed: number;
  readonly iteration: number;
}

/** What only a server that was started with a flag for it accepts. */
export interface AllowedRequests {
  /**
   * `host:port` that parameters may name: the client chooses the parameters, but the server makes the connection. Default:
   * none
   */
  readonly hosts?: readonly string[];
  /** user modules, which the server would run. Default: false */
  readonly modules?: boolean;
}

/** Limit of the locations of one request. */
const MAX_LOCATIONS = 1000;
/** Limit of the length of one location. */
const MAX_LENGTH = 16_384;
/** Time within which the files of a request must be found. */
const MAX_SECONDS = 10;
/** Limit of the requests whose files are looked for at a time. */
const MAX_READING = 16;

let reading = 0;

/**
 * Reads `body` (parsed JSON) as a request for `stage`, in short slices between which other requests are handled.
 * @param allowed what the server was started with; everything else is refused
 * @throws {UsageError} if it is invalid, listing every problem
 * @throws {DataError} if it is valid and an input does not exist
 * @throws {TryAgainError} if too many requests are being read
 */
export async function readRunRequest(
  stage: Stage,
  body: unknown,
  root: DataRoot,
  allowed: AllowedRequests = {},
): Promise<RunRequest> {
  if (reading >= MAX_READING) throw new TryAgainError(`${reading} requests are being read: try again later`);
  reading++;
  try {
    return await inSlices(readingRequest(stage, body, root, allowed), MAX_SECONDS);
  } finally {
    reading--;
  }
}

function* readingRequest(
  stage: Stage,
  body: unknown,
  root: DataRoot,
  allowed: AllowedRequests,
): Generator<void, RunRequest> {
  const parsed = RunBody.safeParse(body);
  if (!parsed.success) throw refusal(stage, issues(parsed.error, ""));
  const { seed, iteration, ...given } = parsed.data;
  checkAmount(stage, given);
  const problems: string[] = [];
  const params = stage.params.safeParse(given.params);
  if (params.success) append(problems, hostProblems(params.data, allowed.hosts ?? []));
  else append(problems, issues(params.error, "params"));
  if (!allowed.modules) append(problems, moduleProblems(given));
  append(problems, portProblems("inputs", stage.inputs, given.inputs));
  append(problems, portProblems("outputs", stage.outputs, given.outputs));

  function* path(location: string, isFiles: boolean): Generator<void, string> {
    yield;
    try {
      return isFiles ? yield* resolvingFiles(root, location) : resolveLocation(root, location);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      problems.push(error.message);
      return location;
    }
  }
  const inputs: Record<string, string | string[] | Record<string, string>> = {};
  for (const [port, value] of Object.entries(given.inputs)) {
    const input = stage.inputs[port], isFiles = input !== undefined && contractsOf(input).includes("file");
    const paths: [string, string][] = [];
    for (const [key, each] of Object.entries(typeof value === "string" ? [value] : value)) {
      paths.push([key, yield* path(each, isFiles)]);
    }
    const all = paths.map(([, each]) => each);
    inputs[port] = typeof value === "string"
      ? all[0]!
      : Array.isArray(value)
      ? all
      : Object.fromEntries(paths);
  }
  const outputs: Record<string, string> = {};
  for (const [port, each] of Object.entries(given.outputs)) outputs[port] = yield* path(each, false);
  // Only if all locations are valid: whether a path outside the data root exists is not revealed.
  if (problems.length === 0) append(problems, outputProblems(outputs, inputs, root));
  if (problems.length > 0 || !params.success) throw refusal(stage, problems);

  yield* checkThere(stage, inputs, root);
  const walk = new InputWalk(root), states: unknown[] = [];
  for (const [port, value] of Object.entries(inputs)) {
    const state: unknown[] = [];
    for (const [key, each] of Object.entries(typeof value === "string" ? [value] : value)) {
      const found = yield* walk.stateOf(each);
      state.push(typeof value === "string" ? found : [key, found]);
    }
    states.push([port, state]);
  }
  if (walk.problems.length > 0) throw refusal(stage, walk.problems);
  const places = Object.values(outputs).map((output) => realPath(output) ?? output);
  return { params: params.data, inputs, outputs, places, states, seed, iteration };
}

/** Throws if a request has too many or too long locations: each of them costs time before anything else is checked. */
function checkAmount(stage: Stage, { inputs, outputs }: Pick<z.infer<typeof RunBody>, "inputs" | "outputs">) {
  const all = [...Object.values(inputs), ...Object.values(outputs)].flatMap((value) =>
    typeof value === "string" ? [value] : Object.values(value)
  );
  if (all.length > MAX_LOCATIONS) {
    const problem = `a request must have at most ${MAX_LOCATIONS} locations, got ${all.length}`;
    throw refusal(stage, [`${problem} (use a pattern or a folder)`]);
  }
  const longest = all.reduce((length, each) => Math.max(length, each.length), 0);
  if (longest > MAX_LENGTH) {
    throw refusal(stage, [`a location must have at most ${MAX_LENGTH} characters, got ${longest}`]);
  }
}

/** Throws if an input does not exist. */
function* checkThere(stage: Stage, inputs: InputPaths, root: DataRoot): Generator<void, void> {
  const missing: string[] = [];
  for (const [port, value] of Object.entries(inputs)) {
    for (const place of typeof value === "string" ? [value] : Object.values(value ?? {})) {
      for (const what of yield* findingMissing(place)) {
        missing.push(
          `inputs.${port}: "${place.slice(root.path.length + 1)}" ` +
            (what === "not found" ? "does not exist" : `(${what.replaceAll(`${root.path}/`, "")})`),
        );
      }
    }
  }
  if (missing.length > 0) throw new DataError(`Missing inputs of ${stage.id}: ${listed(missing)}`);
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

function moduleProblems(
  { inputs, params }: Pick<z.output<typeof RunBody>, "inputs" | "params">,
): string[] {
  return usedModules(inputs, params).map((name) =>
    `${name}: user modules are not allowed (see --allow-modules of the server)`
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

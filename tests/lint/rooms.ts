/**
 * Data of the lint rules: which room may import which, which rooms own an external package, and the limits of files and
 * functions. `rooms_plugin.ts` enforces them; docs/contributing.md explains them.
 *
 * A room is `lib/<group>/<name>`, `lib/report`, `lib/app`, `stages/<id>`, `pipelines`, `fixtures` or `tests`.
 * @module
 */

/**
 * Folders of `lib`, and those that the rooms of each may import besides their own. No two may import each other, also not
 * through others: a test checks it.
 */
export const GROUPS: Readonly<Record<string, readonly string[]>> = {
  std: [],
  compute: [],
  data: ["compute"],
  model: ["compute", "data"],
  report: ["compute", "data"],
  pipeline: ["compute", "data", "report"],
  app: ["compute", "data", "model", "report", "pipeline"],
};

/** Folders of `lib` that are a single room. */
export const SINGLE_ROOMS: readonly string[] = ["report", "app"];

/** Rooms that a room may import: names of rooms below `lib`, or all of them except those listed. */
export type Allowed = readonly string[] | { readonly allBut: readonly string[] };

/**
 * Rooms below `lib` that each room may import, besides itself. Every room may import `compute/tensor`, which has the
 * error classes with their exit codes.
 */
export const ROOMS: Readonly<Record<string, Allowed>> = {
  "lib/std/assert": [],
  "lib/std/cli": [],
  "lib/compute/tensor": [],
  "lib/compute/random": ["compute/tensor"],
  "lib/data/arrow": ["compute/tensor"],
  "lib/data/files": ["compute/tensor"],
  "lib/data/text": ["compute/tensor", "data/files"],
  "lib/data/demonstrations": ["compute/tensor", "data/arrow", "data/files", "data/text"],
  "lib/compute/onnx": ["compute/tensor"],
  "lib/compute/autodiff": ["compute/tensor", "compute/onnx"],
  "lib/compute/ort": ["compute/tensor"],
  "lib/compute/devices": [
    "compute/tensor",
    "compute/random",
    "compute/onnx",
    "compute/autodiff",
    "compute/ort",
  ],
  "lib/model/models": ["compute/tensor", "compute/random", "compute/autodiff", "data/files"],
  "lib/model/rl": ["compute/tensor", "compute/autodiff"],
  "lib/model/train": [
    "compute/tensor",
    "compute/random",
    "data/files",
    "compute/onnx",
    "compute/autodiff",
    "compute/ort",
    "model/models",
    "model/rl",
  ],
  "lib/model/generate": [
    "compute/tensor",
    "compute/random",
    "compute/onnx",
    "compute/autodiff",
    "compute/ort",
    "data/contracts",
    "model/models",
    "model/train",
  ],
  "lib/model/serve": [
    "compute/tensor",
    "compute/random",
    "compute/autodiff",
    "data/files",
    "data/text",
    "model/models",
    "model/train",
    "model/generate",
  ],
  "lib/model/reward": [
    "compute/tensor",
    "data/files",
    "data/contracts",
    "model/models",
    "model/rl",
    "model/train",
  ],
  "lib/model/evals": ["compute/tensor", "data/files", "data/text"],
  "lib/model/benchmarks": [
    "compute/tensor",
    "data/demonstrations",
    "data/files",
    "data/text",
    "model/evals",
    "model/generate",
    "model/train",
  ],
  "lib/data/contracts": ["compute/tensor", "data/arrow", "data/files"],
  "lib/data/hub": ["compute/tensor", "data/contracts", "data/files"],
  "lib/pipeline/engine": ["compute/tensor", "data/contracts", "data/files"],
  "lib/report": ["compute/tensor", "data/files", "data/contracts"],
  "lib/pipeline/experiments": [
    "compute/tensor",
    "compute/random",
    "data/files",
    "data/contracts",
    "pipeline/engine",
    "report",
  ],
  "lib/pipeline/executors": ["compute/tensor", "data/files", "data/contracts", "pipeline/engine"],
  "lib/pipeline/inspect": ["compute/tensor", "data/files", "data/contracts", "pipeline/engine", "report"],
  "lib/app": { allBut: [] },
  "stages": { allBut: ["app"] },
  "tests": { allBut: [] },
  "pipelines": [],
  "fixtures": [],
};

/** Packages that only tests may import: files named `*_test.ts`, and everything in `tests`. */
export const TEST_PACKAGES: readonly string[] = [
  "@jax-js/jax",
  "@jax-js/onnx",
  "@std/assert",
  "fast-check",
  "onnx-buf",
  "openai",
];

/**
 * Rooms that own an external package; no other room imports it, except tests. Most packages have one owner. Those with
 * several define schemas, flags, tables or colours.
 */
export const OWNERS: Readonly<Record<string, readonly string[]>> = {
  "@bufbuild/protobuf": ["lib/compute/onnx"],
  "@cfworker/json-schema": ["lib/model/benchmarks"],
  "@huggingface/hub": ["lib/data/hub"],
  "@huggingface/jinja": ["lib/data/text"],
  "@std/cli": ["lib/app"],
  "apache-arrow": ["lib/data/arrow"],
  "cli-table3": ["lib/pipeline/experiments", "lib/report"],
  "csv-parse": ["lib/data/files"],
  "hono": ["lib/app"],
  "hyparquet": ["lib/data/files"],
  "onnxruntime-node": ["lib/compute/ort"],
  "picocolors": ["lib/app"],
  "re2js": ["lib/model/evals"],
  "strftime": ["lib/data/text"],
  "tokenizers": ["lib/data/text"],
  "yaml": ["lib/pipeline/engine"],
  "zod": [
    "lib/app",
    "lib/data/contracts",
    "lib/model/benchmarks",
    "lib/model/evals",
    "lib/pipeline/experiments",
    "lib/model/models",
    "lib/pipeline/engine",
    "lib/pipeline/executors",
    "lib/report",
    "stages",
  ],
};

/** The longest file without an entry in `LONG_FILES`, in lines. */
export const MAX_LINES = 400;

/** The longest function in lib and stages, in lines. */
export const MAX_FUNCTION_LINES = 80;

/** Files that may be longer, each with its reason: tables and generated text only. */
export const LONG_FILES: Readonly<Record<string, string>> = {};

/** File names that do not describe a file's content. */
export const EMPTY_NAMES: readonly string[] = [
  "common",
  "helper",
  "helpers",
  "index",
  "misc",
  "util",
  "utils",
];

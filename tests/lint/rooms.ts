/**
 * Data of the lint rules: which room may import which, which rooms own an external package, and the limits of files and
 * functions. `rooms_plugin.ts` enforces them; docs/contributing.md explains them.
 *
 * A room is `lib/<name>`, `lib/std/<name>`, `stages/<id>`, `pipelines`, `fixtures` or `tests`.
 * @module
 */

/** Rooms that a room may import: names of rooms below `lib`, or all of them except those listed. */
export type Allowed = readonly string[] | { readonly allBut: readonly string[] };

/**
 * Rooms below `lib` that each room may import, besides itself. Every room may import `tensor`, which has the error
 * classes with their exit codes.
 */
export const ROOMS: Readonly<Record<string, Allowed>> = {
  "lib/std/assert": [],
  "lib/std/cli": [],
  "lib/tensor": [],
  "lib/random": ["tensor"],
  "lib/arrow": ["tensor"],
  "lib/files": ["tensor"],
  "lib/text": ["tensor", "files"],
  "lib/demonstrations": ["tensor", "arrow", "files", "text"],
  "lib/onnx": ["tensor"],
  "lib/autodiff": ["tensor", "onnx"],
  "lib/ort": ["tensor"],
  "lib/models": ["tensor", "random", "autodiff", "files"],
  "lib/rl": ["tensor", "autodiff"],
  "lib/train": ["tensor", "random", "files", "onnx", "autodiff", "ort", "models", "rl"],
  "lib/generate": ["tensor", "random", "onnx", "autodiff", "ort", "contracts", "models", "train"],
  "lib/reward": ["tensor", "files", "contracts", "models", "rl", "train"],
  "lib/evals": ["tensor", "text"],
  "lib/contracts": ["tensor", "arrow", "files"],
  "lib/hub": ["tensor", "contracts", "files"],
  "lib/pipeline": ["tensor", "contracts", "files"],
  "lib/report": ["tensor", "files", "contracts"],
  "lib/experiments": ["tensor", "random", "files", "contracts", "pipeline", "report"],
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
];

/**
 * Rooms that own an external package; no other room imports it, except tests. Most packages have one owner. Those with
 * several define schemas, flags, tables or colours.
 */
export const OWNERS: Readonly<Record<string, readonly string[]>> = {
  "@huggingface/hub": ["lib/hub"],
  "@huggingface/jinja": ["lib/text"],
  "@std/cli": ["lib/app"],
  "apache-arrow": ["lib/arrow"],
  "cli-table3": ["lib/experiments", "lib/report"],
  "csv-parse": ["lib/files"],
  "hono": ["lib/app"],
  "hyparquet": ["lib/files"],
  "onnx-proto": ["lib/onnx"],
  "onnxruntime-node": ["lib/ort"],
  "picocolors": ["lib/app"],
  "strftime": ["lib/text"],
  "tokenizers": ["lib/text"],
  "yaml": ["lib/pipeline"],
  "zod": [
    "lib/app",
    "lib/contracts",
    "lib/evals",
    "lib/experiments",
    "lib/models",
    "lib/pipeline",
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

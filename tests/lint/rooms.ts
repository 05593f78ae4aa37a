/**
 * The import table of the project as data: which room may import which, who owns an external package, and which
 * files may be long. `rooms_plugin.ts` enforces it; docs/contributing.md explains it.
 *
 * A room is `lib/<name>`, `lib/std/<name>`, `stages/<id>`, `pipelines`, `fixtures` or `tests`.
 * @module
 */

/** What a room may import: names of rooms below `lib`, or every one of them but those listed. */
export type Allowed = readonly string[] | { readonly allBut: readonly string[] };

/**
 * Rooms below `lib` that each room may import, beside itself. Every room may import `tensor`: it is the ground floor
 * and holds the error classes with their exit codes.
 */
export const ROOMS: Readonly<Record<string, Allowed>> = {
  "lib/std/assert": [],
  "lib/std/cli": [],
  "lib/tensor": [],
  "lib/random": ["tensor"],
  "lib/arrow": ["tensor"],
  "lib/files": ["tensor"],
  "lib/text": ["tensor"],
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
  "lib/report": ["tensor", "contracts", "arrow"],
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
  "playwright-core",
];

/**
 * Rooms that own an external package; nobody else imports it, tests apart. One owner is the rule. The few with
 * several are words that programs share (schemas, flags, colours), not machinery to hide.
 */
export const OWNERS: Readonly<Record<string, readonly string[]>> = {
  "@bufbuild/protobuf": ["lib/onnx"],
  "@huggingface/hub": ["lib/hub"],
  "@huggingface/jinja": ["lib/text"],
  "@std/cli": ["lib/app", "lib/contracts", "stages"],
  "apache-arrow": ["lib/arrow"],
  "aws4fetch": ["lib/files"],
  "cli-progress": ["lib/app"],
  "cli-table3": ["lib/app", "lib/experiments", "lib/report"],
  "hono": ["lib/app"],
  "hyparquet": ["lib/files"],
  "onnx-proto": ["lib/onnx"],
  "onnxruntime-node": ["lib/ort"],
  "picocolors": ["lib/app", "lib/report"],
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

/** The longest file that needs no entry in `LONG_FILES`, in lines. */
export const MAX_LINES = 400;

/** Files that may be longer, each with its reason: tables and generated text only. */
export const LONG_FILES: Readonly<Record<string, string>> = {};

/** Names that say nothing about what a file holds. */
export const EMPTY_NAMES: readonly string[] = [
  "common",
  "helper",
  "helpers",
  "index",
  "misc",
  "util",
  "utils",
];

/** The table of rooms in docs/architecture.md, from the import table that the lint plugin enforces. @module */
import { type Allowed, GROUPS, OWNERS, ROOMS } from "../lint/rooms.ts";
import { table } from "./markdown.ts";

/** Content of each room. */
const CONTENT: Readonly<Record<string, string>> = {
  "lib/std/assert": "local stand-in for `jsr:@std/assert`, linked in `deno.json`",
  "lib/std/cli": "local stand-in for `jsr:@std/cli`",
  "lib/compute/tensor": "element types, shapes, tensors in memory, error classes with their exit codes",
  "lib/compute/random":
    "Philox random numbers as a function of key and counter, seeds, shuffles, normal numbers",
  "lib/data/arrow": "reads and writes Arrow IPC, checks column types",
  "lib/data/files":
    "safetensors, JSON, JSON Lines, CSV, Parquet, digests, atomic writing of files and directories",
  "lib/data/text": "tokenizers, special tokens, chat templates, stop strings",
  "lib/data/demonstrations":
    "reads users' files of all supported formats and layouts as conversations and texts; lists every invalid row",
  "lib/compute/onnx": "ONNX graphs as data, and their encoding to protobuf",
  "lib/compute/autodiff":
    "primitives with `abstractEval`, `vjp`, `lower`; traces, gradients, lowering to ONNX",
  "lib/compute/devices": "the devices of `--device`, and the check of their kernels",
  "lib/compute/ort": "ONNX Runtime's C API through FFI; the only folder with native pointers",
  "lib/model/models":
    "model families: pure functions over parameters from config.json; reading and writing checkpoints",
  "lib/model/rl": "advantages, KL estimators, whitening, rewards, losses, as pure functions",
  "lib/model/train":
    "networks (compiled blocks and head with their buffers), micro-batches, AdamW, learning-rate schedules, log-probabilities of tokens",
  "lib/model/generate": "decoding graph, key/value cache, continuous batching, samplers",
  "lib/model/serve": "a loaded model that completes prompts of many callers in one running batch",
  "lib/model/reward": "log-probabilities and rewards of rollouts, computed with a reward directory",
  "lib/model/benchmarks":
    "known benchmarks and users' own sets: tasks, prompts, filters, outcomes, statistics, AlpacaEval's judge",
  "lib/model/evals": "checkers: functions that score responses",
  "lib/data/contracts":
    "files that stages exchange, one module per Arrow schema or directory layout; the type of a stage",
  "lib/data/hub": "downloads models from the Hugging Face hub into a local cache; resumable, digests checked",
  "lib/pipeline/engine": "reading and planning manifests, cache keys, store, execution of stages",
  "lib/report": "output of a run: live lines, summary, report.json, report.html",
  "lib/pipeline/experiments":
    "grids of runs over seeds: planning, execution, statistics over runs, the report page",
  "lib/pipeline/executors": "where stages run: processes, containers, SSH, Slurm; the site file",
  "lib/pipeline/inspect": "states, logs, lineage and differences of runs, from what they left on disk",
  "lib/app": "the commands, the HTTP server, and the registry that finds stages",
  "stages": "one folder per stage: `main.ts` (program), `params.ts`, functions, tests, README",
  "tests": "tests that involve several folders: pipelines end to end, goldens, lint, documentation, helpers",
  "pipelines": "manifests",
  "fixtures": "models, data and golden files, with origin and licence",
};

/** Returns the table as Markdown. @throws {TypeError} naming rooms without a description, or descriptions without a room */
export function roomsTable(): string {
  const odd = [
    ...Object.keys(ROOMS).filter((room) => !(room in CONTENT)),
    ...Object.keys(CONTENT).filter((room) => !(room in ROOMS)),
  ];
  if (odd.length > 0) {
    throw new TypeError(
      `ROOMS and CONTENT must list the same rooms, got a difference in ${odd.join(", ")}`,
    );
  }
  const groups = [
    ...Object.keys(GROUPS).map((group) => `lib/${group}`),
    "stages",
    "tests",
    "pipelines",
    "fixtures",
  ];
  const place = (room: string) => groups.findIndex((group) => room === group || room.startsWith(`${group}/`));
  const ordered = Object.entries(CONTENT).sort(([a], [b]) => place(a) - place(b));
  const rows = ordered.map(([room, content]) => [
    `\`${room}\``,
    content,
    importsOf(room, ROOMS[room]!),
    packagesOf(room),
  ]);
  return table(["folder", "content", "may import", "owns"], rows);
}

function importsOf(room: string, allowed: Allowed): string {
  if ("allBut" in allowed) {
    const but = allowed.allBut.length === 0 ? "" : ` but ${allowed.allBut.join(", ")}`;
    if (room === "tests") return "everything";
    return room === "stages" ? `all of \`lib\`${but}; never another stage` : `all of \`lib\`${but}`;
  }
  return allowed.length === 0 ? "–" : allowed.join(", ");
}

function packagesOf(room: string): string {
  const owned = Object.entries(OWNERS).filter(([, owners]) => owners.includes(room)).map(([name]) => name);
  return owned.length === 0 ? "–" : owned.map((name) => `\`${name}\``).join(", ");
}

/** The table of rooms in docs/architecture.md, from the import table that the lint plugin enforces. @module */
import { type Allowed, OWNERS, ROOMS } from "../lint/rooms.ts";
import { table } from "./markdown.ts";

/** What each room holds, in the order of the page: from the ground floor up. */
const HOLDS: Readonly<Record<string, string>> = {
  "lib/std/assert": "local stand-in for `jsr:@std/assert`, linked in `deno.json`",
  "lib/std/cli": "local stand-in for `jsr:@std/cli`",
  "lib/tensor": "element types, shapes, host tensors, the error classes with their exit codes",
  "lib/random": "Philox by key and counter, seeds, shuffles, normal numbers",
  "lib/arrow": "Arrow IPC in and out, column types checked",
  "lib/files": "safetensors, JSON, JSON Lines, digests, publishing of whole files and directories",
  "lib/text": "tokenizers and their special tokens",
  "lib/demonstrations":
    "users' files of any format and layout as conversations and texts, with every bad row named",
  "lib/onnx": "graphs as data, the encoder to protobuf",
  "lib/autodiff": "primitives with `abstractEval`, `vjp`, `lower`; traces, gradients, lowering to ONNX",
  "lib/ort": "ONNX Runtime's C API through FFI: the only owner of native pointers",
  "lib/models": "config.json to pure functions over parameters; model families; checkpoints in and out",
  "lib/rl": "advantages, KL estimators, whitening, rewards, losses: pure",
  "lib/train":
    "networks (blocks and head bound to buffers), micro-batches, AdamW, schedules, scoring of tokens",
  "lib/generate": "decode graph, key/value cache, continuous batching, samplers",
  "lib/reward": "a reward directory, opened: log-probabilities and rewards of rollouts",
  "lib/evals": "checkers of answers",
  "lib/contracts": "what passes between stages: a file per Arrow schema or directory layout; what a stage is",
  "lib/hub": "models from the Hugging Face hub into a local cache: resumed, digests checked",
  "lib/pipeline": "manifest, plan, keys, store, run, executors, programs of stages",
  "lib/report": "what a run shows: live lines, summary, report.json, report.html",
  "lib/experiments":
    "grids of runs over seeds: what to run, in which order, what the runs say together, the page that shows it",
  "lib/app": "the commands, the HTTP server, and the registry that finds stages",
  "stages": "a folder per stage: `main.ts` (program), `params.ts`, its functions, tests, README",
  "tests": "what crosses rooms: pipelines end to end, goldens, lint, documentation, support",
  "pipelines": "manifests",
  "fixtures": "models, data and golden results, with origin and licence",
};

/** Markdown of the table. @throws {TypeError} naming rooms without a description, or descriptions without a room */
export function roomsTable(): string {
  const odd = [
    ...Object.keys(ROOMS).filter((room) => !(room in HOLDS)),
    ...Object.keys(HOLDS).filter((room) => !(room in ROOMS)),
  ];
  if (odd.length > 0) {
    throw new TypeError(
      `Cannot describe the rooms as ROOMS and HOLDS must name the same ones: ${odd.join(", ")} differ`,
    );
  }
  const rows = Object.entries(HOLDS).map(([room, holds]) => [
    `\`${room}\``,
    holds,
    importsOf(room, ROOMS[room]!),
    packagesOf(room),
  ]);
  return table(["room", "what it holds", "may import", "owns"], rows);
}

function importsOf(room: string, allowed: Allowed): string {
  if ("allBut" in allowed) {
    const but = allowed.allBut.length === 0 ? "" : ` but ${allowed.allBut.join(", ")}`;
    return room === "stages" ? `all of \`lib\`${but}; never another stage` : `all of \`lib\`${but}`;
  }
  return allowed.length === 0 ? "–" : allowed.join(", ");
}

function packagesOf(room: string): string {
  const owned = Object.entries(OWNERS).filter(([, owners]) => owners.includes(room)).map(([name]) => name);
  return owned.length === 0 ? "–" : owned.map((name) => `\`${name}\``).join(", ");
}

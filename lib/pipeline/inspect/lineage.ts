/**
 * Where a file or model came from: the actions that made it, back to the user's files, with parameters and digests.
 * @module
 */
import { append } from "@/lib/compute/tensor/large_lists.ts";
import { DataError } from "@/lib/compute/tensor/errors.ts";
import type { ActionRecord } from "@/lib/pipeline/engine/action_record.ts";
import type { RunLock } from "@/lib/pipeline/engine/run_directory.ts";
import { duration } from "@/lib/report/format.ts";

/** A value that an action read: what made it, or which file of the user's it is. */
interface LineageInput {
  readonly port: string;
  readonly digest: string;
  /** `ppo.update[3].policy`, an input of the manifest, or null if neither the store nor run.lock.yaml knows it */
  readonly from: string | null;
}

/** One action. */
export interface LineageNode {
  /** `ppo.update[3]`; of an action of another run in the same store, the stage and the beginning of the key */
  readonly id: string;
  readonly stage: string;
  readonly key: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly seed: number | null;
  readonly inputs: readonly LineageInput[];
  readonly outputs: Readonly<Record<string, string>>;
  readonly seconds: number;
  /** ISO 8601 */
  readonly finished: string;
  readonly host: ActionRecord["host"];
}

/** The origin of a file. */
export interface Lineage {
  readonly digest: string;
  /** `ppo.update[19].policy` */
  readonly made_by: string;
  /** actions, each after all that it read */
  readonly nodes: readonly LineageNode[];
  /** users' files */
  readonly sources: readonly { readonly name: string; readonly path: string; readonly digest: string }[];
}

interface Origin {
  readonly record: ActionRecord;
  readonly port: string;
}

/**
 * Returns the lineage of a file or directory with this digest.
 * @param records of the store
 * @param path for the message
 * @throws {DataError} if no record has it
 */
export function lineageOf(
  digest: string,
  { records, lock, path }: {
    readonly records: readonly ActionRecord[];
    readonly lock: RunLock;
    readonly path: string;
  },
): Lineage {
  const ids = new Map(Object.entries(lock.nodes).map(([id, { key }]) => [key, id]));
  const sources = new Map<string, Lineage["sources"][number]>();
  for (const [name, input] of Object.entries(lock.inputs)) {
    if (input) sources.set(input.digest, { name, ...input });
  }
  const all = originsOf(records, ids);
  // What a user gave was made by no stage, also if one passed it on unchanged.
  const origins = new Map([...all].filter(([digest]) => !sources.has(digest)));
  const first = all.get(digest) ?? fileOrigin(records, ids, digest);
  if (!first) throw new DataError(`No result in the store has the content of ${path}`, { file: path });
  const idOf = ({ key, parts }: ActionRecord) => ids.get(key) ?? `${parts.stage} ${key.slice(0, 8)}`;
  const nodes: LineageNode[] = [], used = new Set<string>();
  for (const record of readFirst(first.record, origins)) {
    const inputs = inputsOf(record).map(({ port, digest }) => {
      const origin = origins.get(digest), source = sources.get(digest);
      if (!origin && source) used.add(digest);
      return { port, digest, from: origin ? `${idOf(origin.record)}.${origin.port}` : source?.name ?? null };
    });
    const { parts, outputs, seconds, finished, host, key } = record;
    nodes.push({
      id: idOf(record),
      stage: parts.stage,
      key,
      params: parts.params,
      seed: parts.seed ?? null,
      inputs,
      outputs: Object.fromEntries(Object.entries(outputs).map(([port, tree]) => [port, tree.digest])),
      seconds,
      finished,
      host,
    });
  }
  return {
    digest,
    made_by: `${idOf(first.record)}.${first.port}`,
    nodes,
    sources: [...used].map((digest) => sources.get(digest)!),
  };
}

/** Returns the lineage as text: the users' files, then each stage once, with its copies or iterations counted. */
export function lineageText({ made_by, digest, nodes, sources }: Lineage, path: string): string {
  const stages = Map.groupBy(nodes, ({ id, params }) => JSON.stringify([id.replace(/\[\d+\]$/, ""), params]));
  const lines = [...stages.values()].flatMap((own) => {
    const [first] = own, seconds = own.reduce((sum, node) => sum + node.seconds, 0);
    const times = own.length === 1 ? first!.id : `${first!.id.replace(/\[\d+\]$/, "")}, ${own.length} times`;
    return [
      `${times} (${first!.stage}, ${duration(seconds)}, key ${own.at(-1)!.key.slice(0, 12)})`,
      ...inputText(own.at(-1)!.inputs),
      `  parameters: ${
        Object.entries(first!.params).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(" ")
      }`,
    ];
  });
  return [
    `${path}: ${made_by}, digest ${digest}`,
    ...sources.map(({ name, path, digest }) => `input ${name}: ${path}, digest ${digest}`),
    ...lines,
  ].map((line) => `${line}\n`).join("");
}

function inputText(inputs: readonly LineageInput[]): string[] {
  return inputs.map(({ port, digest, from }) =>
    `  ${port} from ${from ?? "an unknown file"}, digest ${digest.slice(0, 12)}`
  );
}

/**
 * Returns what made each output, by digest. Of several actions with equal bytes it is the first in the lock file's run: one
 * that passes a model on unchanged, as PPO does while only the critic learns, did not make it.
 */
function originsOf(
  records: readonly ActionRecord[],
  ids: ReadonlyMap<string, string>,
): ReadonlyMap<string, Origin> {
  const origins = new Map<string, Origin>();
  for (const record of records.toSorted((a, b) => a.finished.localeCompare(b.finished))) {
    for (const [port, { digest }] of Object.entries(record.outputs)) {
      const known = origins.get(digest);
      if (!known || (!ids.has(known.record.key) && ids.has(record.key))) {
        origins.set(digest, { record, port });
      }
    }
  }
  return origins;
}

/** Returns what made a single file of a directory, such as the weights of a model. */
function fileOrigin(
  records: readonly ActionRecord[],
  ids: ReadonlyMap<string, string>,
  digest: string,
): Origin | undefined {
  const all = records.flatMap((record) =>
    Object.entries(record.outputs).filter(([, { files }]) =>
      Object.values(files).some((file) => file.digest === digest)
    ).map(([port]) => ({ record, port }))
  );
  return all.find(({ record }) => ids.has(record.key)) ?? all[0];
}

/** Returns `last` and everything that it was made from, each after all that it read. */
function readFirst(last: ActionRecord, origins: ReadonlyMap<string, Origin>): ActionRecord[] {
  const sorted: ActionRecord[] = [], state = new Map<string, "open" | "done">();
  const stack = [last];
  for (let record = stack.at(-1); record; record = stack.at(-1)) {
    const known = state.get(record.key);
    if (known !== undefined) {
      stack.pop();
      if (known === "open") sorted.push(record);
      state.set(record.key, "done");
      continue;
    }
    state.set(record.key, "open");
    const before = inputsOf(record).flatMap(({ digest }) => origins.get(digest)?.record ?? []);
    append(stack, before.filter(({ key }) => !state.has(key)));
  }
  return sorted;
}

function inputsOf({ parts }: ActionRecord): { readonly port: string; readonly digest: string }[] {
  return Object.entries(parts.inputs).flatMap(([port, given]) => {
    if (typeof given === "string") return [{ port, digest: given }];
    return Object.entries(given).map(([name, digest]) => ({
      port: Array.isArray(given) ? `${port}[${name}]` : `${port}.${name}`,
      digest,
    }));
  });
}

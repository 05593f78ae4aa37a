/**
 * Runs more batch shapes than the caches of graphs and plans hold, then prints as JSON on one line: sessions in memory
 * after garbage collection, bytes of array buffers, and whether the first shape gives equal bits again. Needs
 * `--v8-flags=--expose-gc`.
 * @module
 */
import { modelFromConfig } from "@/lib/model/models/config.ts";
import { parametersOf } from "@/lib/model/models/model.ts";
import { ParameterVector } from "@/lib/model/models/parameters.ts";
import { Session } from "@/lib/compute/ort/session.ts";
import { Network } from "@/lib/model/train/network.ts";
import { LOGPROBS } from "@/lib/model/train/programs.ts";

const SHAPES = Number(Deno.args[0]);

const sessions = new Set<WeakRef<Session>>(), seen = new WeakSet<Session>();
const { prepare } = Session.prototype;
Session.prototype.prepare = function (this: Session, inputs, outputs) {
  if (!seen.has(this)) sessions.add(new WeakRef(this));
  seen.add(this);
  return prepare.call(this, inputs, outputs);
};

async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5)); // a WeakRef is strong until the end of its turn
    (globalThis as unknown as { gc(): void }).gc();
  }
}

const model = modelFromConfig({
  ...{ model_type: "llama", vocab_size: 8, hidden_size: 16, intermediate_size: 4, num_hidden_layers: 1 },
  ...{ num_attention_heads: 1, max_position_embeddings: 8 },
});
const parameters = new ParameterVector(parametersOf(model));
parameters.data.forEach((_, i) => parameters.data[i] = Math.sin(i));
const network = new Network(model, parameters);

/** Log-probabilities of `rows` rows of 8 tokens. */
function logprobs(rows: number): Float32Array {
  const ids = Int32Array.from({ length: 8 * rows }, (_, i) => i % 7), positions = Int32Array.of(2, 6);
  const batch = { ids, rows, length: 8 };
  return network.run({ batch, positions, program: LOGPROBS, tokens: { id: [3, 1] } }).tokens.logprob!;
}

const first = logprobs(1);
for (let rows = 2; rows <= SHAPES; rows++) logprobs(rows); // every shape needs larger buffers than the one before
await collectGarbage();
const inMemory = [...sessions].filter((session) => session.deref()).length;
const bufferBytes = Deno.memoryUsage().external;
console.log(JSON.stringify({ sessions: inMemory, bufferBytes, equal: first.join() === logprobs(1).join() }));

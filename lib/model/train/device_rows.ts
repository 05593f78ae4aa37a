/**
 * Rows by index as graphs on a device. Every sum has a fixed order: rows are looked up, and what belongs to one row is
 * summed by a matrix product, so that a run gives equal bits each time.
 * @module
 */
import {
  add,
  addToRows,
  equal,
  gatherRows,
  matmul,
  mul,
  reshape,
  Trace,
  type Value,
} from "@/lib/compute/autodiff/mod.ts";
import type { Place } from "@/lib/compute/ort/place.ts";
import { TensorValue } from "@/lib/compute/ort/tensor_value.ts";
import { f32, i64, type Shape } from "@/lib/compute/tensor/tensor.ts";
import type { EmbeddingTable } from "@/lib/model/models/model.ts";
import { CompiledGraph } from "./compiled_graph.ts";
import { tableIndices } from "./embedding.ts";
import { cached } from "./graph_cache.ts";
import type { RowOperations } from "./row_operations.ts";

/** Returns the row operations of a device. */
export function deviceRows(place: Place): RowOperations {
  const compiled = (
    key: string,
    trace: () => { readonly name: string; readonly inputs: readonly Value[]; readonly output: Value },
  ) =>
    cached(`${place.key}${key}`, () => {
      const { name, inputs, output } = trace();
      return new CompiledGraph({ name, inputs, outputs: { out: output } }, { place });
    });
  return {
    embed(tables, weights, batch, x) {
      const graph = compiled(
        `embed/${keyOf(tables)}/${batch.ids.length}`,
        () => embedGraph(tables, batch.ids.length),
      );
      const inputs = tables.flatMap((table, i) => [
        [`table${i}`, weights.value(table.parameter.name)] as const,
        [`ids${i}`, indices(tableIndices(table, batch))] as const,
      ]);
      graph.prepare(Object.fromEntries(inputs), { out: x }).run();
    },
    embedBackward(tables, gradients, batch, dx) {
      for (const table of tables) {
        const all = tableIndices(table, batch), shape = table.parameter.shape, n = all.length;
        const key = `embed_backward/${keyOf([table])}/${n}`;
        const graph = compiled(key, () => embedBackwardGraph(shape, n, table.factor));
        const gradient = gradients.value(table.parameter.name), read = distinct(all, Math.min(n, shape[0]!));
        const inputs = { gradient, dx, all: indices(all, [1, n]), read: indices(read) };
        graph.prepare(inputs, { out: gradient }).run();
      }
    },
    gather(from, positions, to) {
      const [tokens, width] = from.shape as [number, number], n = to.shape[0]!;
      const graph = compiled(`gather/${tokens}x${width}/${n}`, () => gatherGraph(tokens, width, n));
      const at = new Int32Array(n), mask = new Float32Array(n).fill(1, 0, positions.length);
      at.set(positions);
      graph.prepare({ from, at: indices(at), mask: column(mask) }, { out: to }).run();
    },
    scatter(from, positions, to, isFirst) {
      const [tokens, width] = to.shape as [number, number], n = from.shape[0]!;
      const key = `scatter/${tokens}x${width}/${n}/${isFirst}`;
      const graph = compiled(key, () => scatterGraph(tokens, width, n, isFirst));
      const at = new Int32Array(tokens), mask = new Float32Array(tokens);
      positions.forEach((position, i) => {
        at[position] = i;
        mask[position] = 1;
      });
      graph.prepare({ from, before: to, at: indices(at), mask: column(mask) }, { out: to }).run();
    },
  };
}

function keyOf(tables: readonly EmbeddingTable[]): string {
  return tables.map(({ parameter, factor }) => `${parameter.shape.join("x")}*${factor}`).join();
}

function indices(values: Int32Array, shape: Shape = [values.length]): TensorValue {
  return new TensorValue(i64(shape, values));
}

function column(values: Float32Array): TensorValue {
  return new TensorValue(f32([values.length, 1], values));
}

/** Returns the different values of `all`, filled up to `count` with rows that are not among them. */
function distinct(all: Int32Array, count: number): Int32Array {
  const rows = new Set(all);
  for (let row = 0; rows.size < count; row++) rows.add(row);
  return Int32Array.from(rows);
}

function embedGraph(tables: readonly EmbeddingTable[], n: number) {
  const trace = new Trace();
  const parts = tables.map(({ parameter, factor }, i) => {
    const rows = gatherRows(
      trace.input(`table${i}`, "f32", parameter.shape),
      trace.input(`ids${i}`, "i64", [n]),
    );
    return factor === 1 ? rows : mul(rows, factor);
  });
  return { name: "embed", inputs: trace.inputs, output: parts.reduce((a, b) => add(a, b)) };
}

/** g[read] += factor · H·dx, where H[u,t] is 1 if token t reads row read[u]: repeated rows are summed by the product. */
function embedBackwardGraph(shape: Shape, n: number, factor: number) {
  const [rows, width] = shape as [number, number], trace = new Trace(), count = Math.min(n, rows);
  const gradient = trace.input("gradient", "f32", shape), dx = trace.input("dx", "f32", [n, width]);
  const all = trace.input("all", "i64", [1, n]), read = trace.input("read", "i64", [count]);
  const hits = equal(reshape(read, [count, 1]), all), sum = matmul(hits, dx);
  const output = addToRows(gradient, read, factor === 1 ? sum : mul(sum, factor));
  return { name: "embed_backward", inputs: trace.inputs, output };
}

function gatherGraph(tokens: number, width: number, n: number) {
  const trace = new Trace(), from = trace.input("from", "f32", [tokens, width]);
  const rows = gatherRows(from, trace.input("at", "i64", [n]));
  return { name: "gather", inputs: trace.inputs, output: mul(rows, trace.input("mask", "f32", [n, 1])) };
}

/** Each token looks up its row, so that nothing is written twice. */
function scatterGraph(tokens: number, width: number, n: number, isFirst: boolean) {
  const trace = new Trace(), from = trace.input("from", "f32", [n, width]);
  const rows = gatherRows(from, trace.input("at", "i64", [tokens]));
  const own = mul(rows, trace.input("mask", "f32", [tokens, 1]));
  const output = isFirst ? own : add(trace.input("before", "f32", [tokens, width]), own);
  return { name: "scatter", inputs: trace.inputs, output };
}

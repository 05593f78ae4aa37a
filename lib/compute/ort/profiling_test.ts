import { assertEquals, assertThrows } from "@std/assert";
import { add, lower, Trace } from "@/lib/compute/autodiff/mod.ts";
import { encodeModel } from "@/lib/compute/onnx/encode.ts";
import { TemporaryDirectory } from "@/tests/support/temporary_directory.ts";
import { profileSessions } from "./profiling.ts";
import { Session } from "./session.ts";
import { TensorValue } from "./tensor_value.ts";

function runOnce(): Session {
  const trace = new Trace(), x = trace.input("x", "f32", [3]);
  const session = new Session(encodeModel(lower({ inputs: [x], outputs: { y: add(x, x) } })));
  session.run({ x: TensorValue.zeros("f32", [3]) }, { y: TensorValue.zeros("f32", [3]) });
  return session;
}

Deno.test("each session created while profiling is on writes a profile, others do not", () => {
  using directory = new TemporaryDirectory();
  const before = runOnce();
  const profiler = profileSessions(directory.file("p"));
  const inside = runOnce();
  runOnce()[Symbol.dispose]();
  profiler.stop();
  const after = runOnce();
  profiler.end();
  const names = [...Deno.readDirSync(directory.path)].map(({ name }) => name).sort();
  assertEquals(names.map((name) => name.slice(0, 4)), ["p-0_", "p-1_"]);
  for (const name of names) {
    const events = JSON.parse(Deno.readTextFileSync(directory.file(name))) as {
      args?: { op_name?: string };
    }[];
    assertEquals(events.some(({ args }) => args?.op_name === "Add"), true, name);
  }
  for (const session of [before, inside, after]) session[Symbol.dispose]();
});

Deno.test("a second profiler is rejected while one is on", () => {
  using directory = new TemporaryDirectory();
  const prefix = directory.file("p"), profiler = profileSessions(prefix);
  assertThrows(
    () => profileSessions("other"),
    RangeError,
    `Profiling is already on: another profiler writes ${prefix}`,
  );
  profiler.end();
  profileSessions(prefix).end();
});

import { assertEquals } from "@std/assert";
import { parseArgs } from "./parse_args.ts";

Deno.test("parseArgs() reads what the documentation of the original shows", () => {
  const parsed = parseArgs(["--foo", "--bar=baz", "./quux.txt"]);
  assertEquals(parsed, { foo: true, bar: "baz", _: ["./quux.txt"] });
  assertEquals(parseArgs(["--foo", "bar", "--", "--baz", "qux"]), { foo: "bar", _: ["--baz", "qux"] });
});

Deno.test("parseArgs() gives booleans no other value than true and false", () => {
  const boolean = ["json", "dry-run"];
  assertEquals(parseArgs(["--json", "file"], { boolean }), { json: true, "dry-run": false, _: ["file"] });
  assertEquals(parseArgs(["--json", "false", "--dry-run=true"], { boolean }), {
    json: false,
    "dry-run": true,
    _: [],
  });
  assertEquals(parseArgs(["--json=false"], { boolean }), { json: false, "dry-run": false, _: [] });
});

Deno.test("parseArgs() turns numbers into numbers unless a flag is a string", () => {
  assertEquals(parseArgs(["--n", "3", "--x=1e-3", "5", "a5"]), { n: 3, x: 0.001, _: [5, "a5"] });
  assertEquals(parseArgs(["--n", "3", "5"], { string: ["n", "_"] }), { n: "3", _: ["5"] });
});

Deno.test("parseArgs() gives a string flag without a value the empty string", () => {
  assertEquals(parseArgs(["--run-dir", "--json"], { string: ["run-dir"], boolean: ["json"] }), {
    "run-dir": "",
    json: true,
    _: [],
  });
  assertEquals(parseArgs(["--run-dir="], { string: ["run-dir"] }), { "run-dir": "", _: [] });
  assertEquals(parseArgs([], { string: ["run-dir"] }), { _: [] });
});

Deno.test("parseArgs() takes a negative number as the value of a flag", () => {
  assertEquals(parseArgs(["--floor", "-6", "--eos=-.5", "--z", "-x"]), {
    floor: -6,
    eos: -0.5,
    z: true,
    x: true,
    _: [],
  });
  assertEquals(parseArgs(["--floor", "-6"], { string: ["floor"] }), { floor: "-6", _: [] });
});

Deno.test("parseArgs() collects what may occur several times, else the last one counts", () => {
  assertEquals(
    parseArgs(["--in", "a", "--in=b", "--x", "1", "--x", "2"], { string: ["in"], collect: ["in"] }),
    {
      in: ["a", "b"],
      x: 2,
      _: [],
    },
  );
  assertEquals(parseArgs([], { collect: ["in"] }), { in: [], _: [] });
});

Deno.test("parseArgs() negates only what is negatable", () => {
  assertEquals(
    parseArgs(["--no-color"], { boolean: ["color"], negatable: ["color"], default: { color: true } }),
    {
      color: false,
      _: [],
    },
  );
  assertEquals(parseArgs(["--no-color"], { boolean: ["color"] }), { "no-color": true, color: false, _: [] });
});

Deno.test("parseArgs() fills in defaults, of its own", () => {
  const defaults = { port: 8000, list: ["a"] };
  const parsed = parseArgs(["--port", "1"], { default: defaults });
  assertEquals(parsed, { port: 1, list: ["a"], _: [] });
  parsed.list.push("b");
  assertEquals(defaults.list, ["a"]);
});

Deno.test("parseArgs() gives a flag under all its names", () => {
  const options = { alias: { h: "help", o: ["out", "output"] }, boolean: ["help"], string: ["out"] };
  assertEquals(parseArgs(["-h", "-o", "1"], options), {
    h: true,
    help: true,
    o: "1",
    out: "1",
    output: "1",
    _: [],
  });
  assertEquals(parseArgs(["-o=x"], options), { h: false, help: false, o: "x", out: "x", output: "x", _: [] });
});

Deno.test("parseArgs() reads short flags one by one, the last with a value", () => {
  assertEquals(parseArgs(["-abc", "value", "-"]), { a: true, b: true, c: "value", _: ["-"] });
});

Deno.test("parseArgs() nests dotted names, and reaches no prototype", () => {
  assertEquals(parseArgs(["--in.a", "x", "--in.b.c=1"]), { in: { a: "x", b: { c: 1 } }, _: [] });
  parseArgs(["--__proto__.polluted=yes", "--constructor.prototype.polluted=yes"]);
  assertEquals(({} as Record<string, unknown>).polluted, undefined);
});

Deno.test("parseArgs() asks unknown() about every word that is not declared, and drops what it refuses", () => {
  const asked: unknown[][] = [];
  const unknown = (...args: unknown[]) => (asked.push(args), false);
  const args = ["--known", "1", "word", "--in.a=x", "--flag", "--", "--after"];
  assertEquals(parseArgs(args, { string: ["known"], unknown }), { known: "1", _: ["--after"] });
  assertEquals(asked, [["word"], ["--in.a=x", "in.a", "x"], ["--flag", "flag", true]]);
  assertEquals(parseArgs(["--a", "x", "b"], { unknown: () => true }), { a: "x", _: ["b"] });
});

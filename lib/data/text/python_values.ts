/**
 * Gives `@huggingface/jinja` 0.5.11 Python's semantics where it has JavaScript's: equality without conversion, white space,
 * `strip(chars)`, `title`, `capitalize`, and texts as sequences of code points. Also lets `selectattr` and `rejectattr` take
 * any expressions as arguments.
 * @module
 */
import { Environment, type Interpreter } from "@huggingface/jinja";

/** A value of the interpreter. */
interface RuntimeValue {
  readonly type: string;
  readonly value: unknown;
  readonly builtins: Map<string, unknown>;
}

/** A node of a template's syntax tree. */
interface SyntaxNode {
  readonly type: string;
  readonly operator?: { readonly value: string };
  readonly left?: SyntaxNode;
  readonly right?: SyntaxNode;
  readonly operand?: SyntaxNode;
  readonly filter?: SyntaxNode;
  readonly callee?: SyntaxNode;
  readonly args?: readonly SyntaxNode[];
  readonly value?: string;
  /** the value of an argument that is already evaluated */
  readonly evaluated?: RuntimeValue;
}

type Method = (args: readonly RuntimeValue[]) => RuntimeValue;
type Evaluate = (node: SyntaxNode, environment: Environment) => RuntimeValue;

/** White space of Python's `str.strip`, for a character class. */
const WHITE_SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

const probe = new Environment();
const text = (value: string): RuntimeValue => new TextValue(value);
const TextValue = (probe.set("text", "") as unknown as { constructor: new (value: string) => RuntimeValue })
  .constructor;
const MethodValue =
  (probe.set("method", () => "") as unknown as { constructor: new (call: Method) => unknown })
    .constructor;

/** Returns Python's methods of a text. */
function methodsOf(value: string): Readonly<Record<string, Method>> {
  const strip = (isLeft: boolean, isRight: boolean): Method => ([chars]) => {
    const set = chars?.type === "StringValue"
      ? String(chars.value).replace(/[\\\]^-]/g, "\\$&")
      : WHITE_SPACE;
    if (set === "") return text(value);
    const left = isLeft ? value.replace(new RegExp(`^[${set}]+`), "") : value;
    return text(isRight ? trimEnd(left, new RegExp(`[${set}]`)) : left);
  };
  return {
    strip: strip(true, true),
    lstrip: strip(true, false),
    rstrip: strip(false, true),
    title: () =>
      text(value.toLowerCase().replace(/\p{L}+/gu, (word) => word[0]!.toUpperCase() + word.slice(1))),
    capitalize: () => text(value.slice(0, 1).toUpperCase() + value.slice(1).toLowerCase()),
  };
}

/** Removes characters at the end, in a loop: a pattern anchored at the end takes quadratic time on inner runs. */
function trimEnd(value: string, isStripped: RegExp): string {
  let end = value.length;
  while (end > 0 && isStripped.test(value[end - 1]!)) end--;
  return value.slice(0, end);
}

const libraryBuiltins = Object.getOwnPropertyDescriptor(TextValue.prototype, "builtins")!.get!;
Object.defineProperty(TextValue.prototype, "builtins", {
  get(this: RuntimeValue & { isPython?: boolean }): Map<string, unknown> {
    const builtins = libraryBuiltins.call(this) as Map<string, unknown>;
    if (this.isPython) return builtins;
    for (const [name, method] of Object.entries(methodsOf(this.value as string))) {
      builtins.set(name, new MethodValue(method));
    }
    this.isPython = true;
    return builtins;
  },
});

/** Changes how `interpreter` evaluates comparisons, `trim`, and the arguments of `selectattr` and `rejectattr`. */
export function mendInterpreter(interpreter: Interpreter): void {
  const mended = interpreter as unknown as { evaluate: Evaluate };
  const evaluate = mended.evaluate.bind(interpreter);
  mended.evaluate = (node, environment) => {
    if (node?.evaluated) return node.evaluated;
    if (node?.type === "BinaryExpression" && /^[!=]=$/.test(node.operator!.value)) {
      const isEqual = equals(
        mended.evaluate(node.left!, environment),
        mended.evaluate(node.right!, environment),
      );
      const name = isEqual === (node.operator!.value === "==") ? "true" : "false";
      return environment.lookupVariable(name) as unknown as RuntimeValue;
    }
    const filter = node?.type === "FilterExpression" ? node.filter : undefined;
    if (/^(select|reject)attr$/.test(filter?.callee?.value ?? "")) {
      // The library accepts literal texts only. An evaluated argument passes its check as one.
      const args = filter!.args!.map((argument) => ({
        type: "StringLiteral",
        evaluated: mended.evaluate(argument, environment),
      }));
      return evaluate({ ...node, filter: { ...filter!, args } }, environment);
    }
    if (filter?.type === "Identifier" && filter.value === "trim") {
      const operand = mended.evaluate(node.operand!, environment);
      if (operand.type === "StringValue") return methodsOf(operand.value as string).strip!([]);
    }
    return evaluate(node, environment);
  };
}

/** Returns Python's `==`: numbers and booleans by value, None only to itself, lists and mappings by their parts. */
function equals(left: RuntimeValue, right: RuntimeValue): boolean {
  const [a, b] = [left.value, right.value];
  if (isNumeric(a) && isNumeric(b)) return Number(a) === Number(b);
  if (left.type !== right.type) return false;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, k) => equals(item, b[k]));
  }
  if (a instanceof Map && b instanceof Map) {
    return a.size === b.size && [...a].every(([key, item]) => b.has(key) && equals(item, b.get(key)));
  }
  return a === b;
}

function isNumeric(value: unknown): boolean {
  return typeof value === "number" || typeof value === "boolean";
}

/**
 * Returns a replacement for texts, and its reverse, after which every character is one UTF-16 unit: characters beyond the
 * basic plane and U+FEFF (white space in JavaScript only) become private-use characters that do not occur in `used`.
 */
export function characterSwap(
  used: string,
): { readonly swap: (text: string) => string; readonly restore: (text: string) => string } {
  if (!/[\uD800-\uDFFF\uFEFF]/.test(used)) return { swap: (text) => text, restore: (text) => text };
  const taken = new Set(used);
  const odd = [...taken].filter((character) => character.length > 1 || character === "\uFEFF");
  const there = new Map<string, string>(), back = new Map<string, string>();
  let code = 0xe000;
  for (const character of odd) {
    while (code <= 0xf8ff && taken.has(String.fromCharCode(code))) code++;
    if (code > 0xf8ff) break;
    const stand = String.fromCharCode(code++);
    there.set(character, stand);
    back.set(stand, character);
  }
  const exchange = (map: ReadonlyMap<string, string>) => (text: string): string =>
    Array.from(text, (character) => map.get(character) ?? character).join("");
  return { swap: exchange(there), restore: exchange(back) };
}

/**
 * Where `@huggingface/jinja` 0.5.11 takes JavaScript's view of values, Python's is put in: equality without conversion,
 * white space, `strip(chars)`, `title`, `capitalize`, and texts as sequences of code points.
 * In: an interpreter and its environment. Out: the same, mended in place.
 * @module
 */
import { Environment, type Interpreter } from "@huggingface/jinja";

/** A value of the interpreter, as far as it is used here. */
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
  readonly filter?: { readonly type: string; readonly value?: string };
}

type Method = (args: readonly RuntimeValue[]) => RuntimeValue;
type Evaluate = (node: SyntaxNode, environment: Environment) => RuntimeValue;

/** What Python's `str.strip` takes for white space, for a character class. */
const WHITE_SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

const probe = new Environment();
const text = (value: string): RuntimeValue => new TextValue(value);
const TextValue = (probe.set("text", "") as unknown as { constructor: new (value: string) => RuntimeValue })
  .constructor;
const MethodValue =
  (probe.set("method", () => "") as unknown as { constructor: new (call: Method) => unknown })
    .constructor;

/** Python's methods of a text. */
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

/** A loop, as a pattern that is anchored at the end takes quadratic time on inner runs. */
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

/** Makes `interpreter` compare and trim as Python does. */
export function mendInterpreter(interpreter: Interpreter): void {
  const mended = interpreter as unknown as { evaluate: Evaluate };
  const evaluate = mended.evaluate.bind(interpreter);
  mended.evaluate = (node, environment) => {
    if (node?.type === "BinaryExpression" && /^[!=]=$/.test(node.operator!.value)) {
      const isEqual = equals(
        mended.evaluate(node.left!, environment),
        mended.evaluate(node.right!, environment),
      );
      const name = isEqual === (node.operator!.value === "==") ? "true" : "false";
      return environment.lookupVariable(name) as unknown as RuntimeValue;
    }
    if (
      node?.type === "FilterExpression" && node.filter!.type === "Identifier" && node.filter!.value === "trim"
    ) {
      const operand = mended.evaluate(node.operand!, environment);
      if (operand.type === "StringValue") return methodsOf(operand.value as string).strip!([]);
    }
    return evaluate(node, environment);
  };
}

/** Python's `==`: numbers and booleans are equal by value, None is only itself, lists and mappings by their parts. */
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
 * Texts for a renderer in which every character is one unit of UTF-16: characters beyond the basic plane and U+FEFF
 * (white space to JavaScript alone) are swapped for private ones that occur nowhere in `used`.
 * @returns the swap, and its reverse
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

/**
 * Gives `@huggingface/jinja` 0.5.11 Python's semantics where it has JavaScript's: equality without conversion, white space,
 * `strip(chars)`, `title`, `capitalize`, and texts as sequences of code points. Also lets `selectattr` and `rejectattr` take
 * any expressions as arguments, and counts the steps of a template.
 * @module
 */
import { Environment, type Interpreter } from "@huggingface/jinja";
import type { TemplateBudget } from "./template_budget.ts";

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
  readonly iterable?: SyntaxNode;
  readonly lhs?: SyntaxNode;
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

/** Changes how `interpreter` evaluates comparisons, `trim`, `selectattr` and `rejectattr`, and counts its steps in `budget`. */
export function mendInterpreter(interpreter: Interpreter, budget: TemplateBudget): void {
  const mended = interpreter as unknown as {
    evaluate: Evaluate;
    evaluateBlock: (statements: readonly SyntaxNode[], environment: Environment) => RuntimeValue;
  };
  const evaluate = mended.evaluate.bind(interpreter);
  /** A node that is evaluated already; it passes the library's checks as a literal text. */
  const literal = (evaluated: RuntimeValue): SyntaxNode => ({ type: "StringLiteral", evaluated });

  function evaluateBinary(node: SyntaxNode, environment: Environment): RuntimeValue {
    const left = mended.evaluate(node.left!, environment), right = mended.evaluate(node.right!, environment);
    const operator = node.operator!.value;
    budget.takeWhole(left);
    budget.takeWhole(right);
    if (operator.endsWith("in")) budget.takeSearch(left, right);
    if (!/^[!=]=$/.test(operator)) {
      return evaluate({ ...node, left: literal(left), right: literal(right) }, environment);
    }
    const name = equals(left, right) === (operator === "==") ? "true" : "false";
    return environment.lookupVariable(name) as unknown as RuntimeValue;
  }

  function evaluateFilter(node: SyntaxNode, environment: Environment): RuntimeValue {
    const filter = node.filter!, operand = mended.evaluate(node.operand!, environment);
    budget.takeOuter(operand);
    if (/^(select|reject)attr$/.test(filter.callee?.value ?? "")) {
      // The library accepts literal texts only.
      const args = filter.args!.map((argument) => literal(mended.evaluate(argument, environment)));
      return evaluate({ ...node, operand: literal(operand), filter: { ...filter, args } }, environment);
    }
    if (filter.type === "Identifier" && filter.value === "trim" && operand.type === "StringValue") {
      return methodsOf(operand.value as string).strip!([]);
    }
    return evaluate({ ...node, operand: literal(operand) }, environment);
  }

  function evaluateFor(node: SyntaxNode, environment: Environment): RuntimeValue {
    const iterable = node.iterable!, isSelect = iterable.type === "SelectExpression";
    const items = mended.evaluate(isSelect ? iterable.lhs! : iterable, environment);
    budget.takeLoop(items);
    const evaluated = isSelect ? { ...iterable, lhs: literal(items) } : literal(items);
    return evaluate({ ...node, iterable: evaluated }, environment);
  }

  function evaluateNode(node: SyntaxNode, environment: Environment): RuntimeValue {
    if (node?.type === "BinaryExpression" && !/^(and|or)$/.test(node.operator!.value)) {
      return evaluateBinary(node, environment);
    }
    if (node?.type === "FilterExpression") return evaluateFilter(node, environment);
    if (node?.type === "For") return evaluateFor(node, environment);
    return evaluate(node, environment);
  }

  mended.evaluate = (node, environment) => {
    if (node?.evaluated) return node.evaluated;
    budget.take(1);
    const value = evaluateNode(node, environment);
    budget.takeNew(value);
    return value;
  };
  mended.evaluateBlock = (statements, environment) => {
    let result = "";
    for (const statement of statements) {
      const value = mended.evaluate(statement, environment);
      if (value.type === "NullValue" || value.type === "UndefinedValue") continue;
      budget.takeWhole(value);
      result += value.toString();
      budget.checkLength(result.length);
    }
    return text(result);
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

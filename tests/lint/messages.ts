/**
 * The grammar of error messages, as far as syntax shows it: what failed, what is required, the value found after `got` or
 * `is`, no period at the end. A message that comes from a variable or a call is not checked.
 * @module
 */

/** Stands for a part of a message that is computed. */
const HOLE = "…";

const RULES: readonly { readonly pattern: RegExp; readonly requirement: string }[] = [
  {
    pattern: /^Cannot\b.*\bas\b.*\b(?:must|may|needs?|requires?)\b|^Cannot\b.*\bas (?:it|they|there)\b/s,
    requirement:
      `must not be "Cannot X as Y must Z": write what failed, what is required, and what was found after "got"`,
  },
  { pattern: /[.!]$/, requirement: "must not end in a period" },
  {
    pattern: /\b(?:must|expected|requires)\b.*[:;] (?:it|they|there) /s,
    requirement: `must give the value found after "got" or "is", without a pronoun`,
  },
  {
    pattern: /\b(?:expected|must be|must have)\b(?![^:…]*\b(?:valid|JSON|YAML)\b)[^:…]*: …$/s,
    requirement: `must give the value found after "got" or "is", not after a colon`,
  },
];

/** Returns the text of an expression with `…` for every computed part. */
function textOf(node: Deno.lint.Node | undefined): string {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  if (node?.type === "TemplateLiteral") return node.quasis.map(({ cooked }) => cooked).join(HOLE);
  if (node?.type === "BinaryExpression" && node.operator === "+") {
    return textOf(node.left as Deno.lint.Node) + textOf(node.right);
  }
  return HOLE;
}

/** Returns what is wrong with the message of `new …Error(message)`, or undefined. */
export function messageProblem(node: Deno.lint.NewExpression): string | undefined {
  if (node.callee.type !== "Identifier" || !node.callee.name.endsWith("Error")) return undefined;
  const text = textOf(node.arguments[0]);
  const broken = RULES.find(({ pattern }) => pattern.test(text));
  return broken && `Error message ${broken.requirement}, got "${text}"`;
}

/**
 * The grammar of error messages, as far as syntax shows it: `Cannot <verb> …`, no period at the end. What a rule cannot
 * read (a message that comes from a variable or a call) it leaves alone.
 * @module
 */

type Texts = { readonly start?: string; readonly end?: string };

/** The literal text with which an expression surely starts and ends, where its syntax tells. */
function textsOf(node: Deno.lint.Node | undefined): Texts {
  if (node?.type === "Literal" && typeof node.value === "string") {
    return { start: node.value, end: node.value };
  }
  if (node?.type === "TemplateLiteral") {
    const start = node.quasis[0]?.cooked;
    const end = node.quasis.at(-1)?.cooked;
    const dynamic = node.expressions.length > 0;
    return {
      ...(start && { start: start + (dynamic ? "…" : "") }),
      ...(end && { end }),
    };
  }
  if (node?.type === "BinaryExpression" && node.operator === "+") {
    const { start } = textsOf(node.left);
    const { end } = textsOf(node.right);
    return {
      ...(start !== undefined && { start: start.endsWith("…") ? start : start + "…" }),
      ...(end !== undefined && { end }),
    };
  }
  return {};
}

/** What is wrong with the message of a thrown `new …Error(message)`, or undefined. */
export function messageProblem(node: Deno.lint.NewExpression): string | undefined {
  if (node.callee.type !== "Identifier" || !node.callee.name.endsWith("Error")) return undefined;
  const { end } = textsOf(node.arguments[0]);
  if (end !== undefined && /[.!]$/.test(end) && !end.endsWith("…")) {
    return `Cannot accept the message that ends in "${end.slice(-20)}" as messages have no final period`;
  }
  return undefined;
}

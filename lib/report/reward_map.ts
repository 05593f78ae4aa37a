/**
 * A response whose tokens have the colour of their reward, with the number below each: the numbers say the same without
 * colours. In: texts and rewards of the tokens. Out: HTML that is folded unless it is open.
 * @module
 */
import { type Html, markup } from "./html.ts";

/** Lower bounds of |reward| in nats for the four depths of colour; below the first there is none. */
const DEPTHS = [0.05, 0.2, 0.5, 1];

/** Returns the class of a reward: `up1` … `up4`, `down1` … `down4`, or none. */
function classOf(reward: number): string {
  const depth = DEPTHS.filter((least) => Math.abs(reward) >= least).length;
  return depth === 0 ? "" : `${reward > 0 ? "up" : "down"}${depth}`;
}

function signed(reward: number): string {
  return `${reward < 0 ? "−" : "+"}${Math.abs(reward).toFixed(2)}`;
}

/** Returns the tokens with their rewards in nats, and the sum. */
export function rewardMap(
  tokens: readonly (readonly [text: string, reward: number])[],
  isOpen: boolean,
): Html {
  const sum = tokens.reduce((total, [, reward]) => total + reward, 0);
  const cells = tokens.map(([text, reward]) => {
    // White space alone is shown as a sign, so that its cell can be seen.
    const shown = text.trim() === "" ? (text.includes("\n") ? "⏎" : "␣") : text.trim();
    return markup`<span class="token ${classOf(reward)}">${shown}<small>${signed(reward)}</small></span> `;
  });
  const summary = markup`<summary>Reward per token: ${signed(sum)} in ${tokens.length} tokens</summary>`;
  return isOpen
    ? markup`<details class="rewards" open>${summary}${cells}</details>`
    : markup`<details class="rewards">${summary}${cells}</details>`;
}

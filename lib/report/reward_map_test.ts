import { assertEquals } from "@std/assert";
import { rewardMap } from "./reward_map.ts";

Deno.test("rewardMap() shows each token with its number, escaped, and the sum; colours follow the size of the reward", () => {
  const { markup } = rewardMap([[" <b>", 0.04], ["Tim", 0.2], ["\n", -0.6], [" ", -3], [".", 1]], false);
  assertEquals(
    markup,
    '<details class="rewards"><summary>Reward per token: −2.36 in 5 tokens</summary>' +
      '<span class="token ">&lt;b&gt;<small>+0.04</small></span> ' +
      '<span class="token up2">Tim<small>+0.20</small></span> ' +
      '<span class="token down3">⏎<small>−0.60</small></span> ' +
      '<span class="token down4">␣<small>−3.00</small></span> ' +
      '<span class="token up4">.<small>+1.00</small></span> </details>',
  );
  assertEquals(rewardMap([], true).markup.startsWith('<details class="rewards" open>'), true);
});

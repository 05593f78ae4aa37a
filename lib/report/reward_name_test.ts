/** Tests the names of rewards. @module */
import { assertEquals } from "@std/assert";
import { rewardName } from "./reward_name.ts";

Deno.test("rewardName() says how many members a reward has and how they are guarded", () => {
  const off = { combine: "mean", floor: null, floor_both: null, token_cap: null, eos_bound: null };
  const guards = { ...off, floor: -4, token_cap: 1, eos_bound: 10, length_norm: "none" };
  const members = ["a", "b", "c", "d"];
  assertEquals(
    rewardName({ params: off, inputs: { members: ["a"] } }),
    "log π_SFT − log π_base of one SFT model (the paper’s reward)",
  );
  assertEquals(
    rewardName({ params: guards, inputs: { members } }),
    "mean of 4 members, floor −4, token cap 1, EOS bound 10",
  );
  assertEquals(
    rewardName({ params: { ...off, combine: "soup", length_norm: "mean" }, inputs: { members } }),
    "averaged weights of 4 members, divided by length (mean)",
  );
  assertEquals(
    rewardName({ params: guards, inputs: { members: "a" } }),
    "log π_SFT − log π_base of one SFT model, floor −4, token cap 1, EOS bound 10",
  );
});

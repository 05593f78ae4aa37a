/** Truncation of rows that are too long. @module */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { fitDemonstration, fitPrompt } from "./fit.ts";

const row = { promptIds: [1, 10, 11, 12], responseIds: [20, 21, 2], prefix: 1 };

Deno.test("fitDemonstration() returns a row that fits unchanged, in every mode", () => {
  for (const mode of ["error", "drop", "left", "right"] as const) {
    const { promptIds, responseIds } = row;
    assertEquals(fitDemonstration(row, 7, mode), { isTruncated: false, promptIds, responseIds });
  }
});

Deno.test("fitDemonstration() follows the rule for a row that is one token too long", () => {
  assertEquals(fitDemonstration(row, 6, "error"), "too_long");
  assertEquals(fitDemonstration(row, 6, "drop"), "dropped");
  assertEquals(fitDemonstration(row, 6, "left"), {
    isTruncated: true,
    promptIds: [1, 11, 12],
    responseIds: [20, 21, 2],
  });
  assertEquals(fitDemonstration(row, 6, "right"), {
    isTruncated: true,
    promptIds: [1, 10, 11, 12],
    responseIds: [20, 21],
  });
});

Deno.test("fitDemonstration() drops a row if truncation would leave no prompt or no response", () => {
  assertEquals(typeof fitDemonstration(row, 5, "left"), "object");
  assertEquals(fitDemonstration(row, 4, "left"), "dropped");
  assertEquals(typeof fitDemonstration(row, 5, "right"), "object");
  assertEquals(fitDemonstration(row, 4, "right"), "dropped");
});

Deno.test("fitPrompt() never removes a prompt's end", () => {
  const prompt = { promptIds: [1, 10, 11, 12], prefix: 1 };
  assertEquals(fitPrompt(prompt, 3, "left"), { isTruncated: true, promptIds: [1, 11, 12], responseIds: [] });
  assertEquals(fitPrompt(prompt, 3, "right"), "dropped");
  assertEquals(fitPrompt(prompt, 1, "left"), "dropped");
});

Deno.test("what fits never exceeds the limit, keeps the prefix, and is truncated on one side only", () => {
  const ids = fc.array(fc.integer({ min: 3, max: 99 }), { minLength: 1, maxLength: 12 });
  const mode = fc.constantFrom("left" as const, "right" as const);
  fc.assert(
    fc.property(ids, ids, fc.integer({ min: 1, max: 20 }), mode, (prompt, response, limit, truncation) => {
      const given = { promptIds: [1, ...prompt], responseIds: [...response, 2], prefix: 1 };
      const fitted = fitDemonstration(given, limit, truncation);
      if (typeof fitted === "string") {
        const fixed = truncation === "left" ? given.responseIds.length + 2 : given.promptIds.length + 1;
        assertEquals([fitted, fixed > limit], ["dropped", true]);
        return;
      }
      assertEquals(
        fitted.promptIds.length + fitted.responseIds.length <= limit || !fitted.isTruncated,
        true,
      );
      assertEquals(fitted.promptIds[0], 1);
      if (truncation === "left") {
        assertEquals(fitted.responseIds, given.responseIds);
        assertEquals(fitted.promptIds.slice(1), prompt.slice(prompt.length - fitted.promptIds.length + 1));
      } else {
        assertEquals(fitted.promptIds, given.promptIds);
        assertEquals(fitted.responseIds, given.responseIds.slice(0, fitted.responseIds.length));
      }
    }),
    { seed: 21 },
  );
});

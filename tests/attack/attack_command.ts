/**
 * `deno task test:attack [WORD…]`: runs all attacks, or those whose topic or name contains a word, prints a line for each and
 * a count, and exits with 1 if one succeeds.
 * @module
 */
import { allAttacks, tryAttack } from "./attack.ts";

const attacks = (await allAttacks()).filter(({ topic, attack }) =>
  Deno.args.length === 0 || Deno.args.some((word) => `${topic}: ${attack.name}`.includes(word))
);
let failed = 0;
for (const { topic, attack } of attacks) {
  const startedAt = performance.now();
  let result = "passed";
  try {
    await tryAttack(attack);
  } catch (error) {
    failed++;
    result = `FAILED: ${error instanceof Error ? error.message.split("\n")[0] : error}`;
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${topic}: ${attack.name} (${seconds} s) ${result}`);
}
console.log(`${attacks.length - failed} passed, ${failed} failed`);
Deno.exit(failed === 0 ? 0 : 1);

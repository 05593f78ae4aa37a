import { allAttacks, tryAttack } from "./attack.ts";

for (const { topic, attack } of await allAttacks()) {
  if (!attack.slow) Deno.test(`${topic}: ${attack.name}`, () => tryAttack(attack));
}

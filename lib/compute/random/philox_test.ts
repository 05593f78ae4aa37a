import { assertEquals } from "@std/assert";
import { philox4x32 } from "./philox.ts";

/** The lines `philox4x32 10` of kat_vectors in Random123 1.14: counter, key, result. */
const KNOWN_ANSWERS = [
  [
    [0x00000000, 0x00000000, 0x00000000, 0x00000000],
    [0x00000000, 0x00000000],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
] as const;

Deno.test("philox4x32() gives the known answers of Random123", () => {
  const out = new Uint32Array(4);
  for (const [[c0, c1, c2, c3], [k0, k1], expected] of KNOWN_ANSWERS) {
    philox4x32(out, c0, c1, c2, c3, k0, k1);
    assertEquals([...out], [...expected]);
  }
});

Deno.test("philox4x32() is the ten rounds written with BigInt", () => {
  const mask = 0xffffffffn;
  const slow = (counter: bigint[], key: bigint[]): number[] => {
    let [x0, x1, x2, x3] = counter as [bigint, bigint, bigint, bigint];
    let [k0, k1] = key as [bigint, bigint];
    for (let round = 0; round < 10; round++) {
      const p0 = 0xd2511f53n * x0, p1 = 0xcd9e8d57n * x2;
      [x0, x1, x2, x3] = [(p1 >> 32n) ^ x1 ^ k0, p1 & mask, (p0 >> 32n) ^ x3 ^ k1, p0 & mask];
      k0 = (k0 + 0x9e3779b9n) & mask;
      k1 = (k1 + 0xbb67ae85n) & mask;
    }
    return [x0, x1, x2, x3].map(Number);
  };
  const out = new Uint32Array(4);
  const words = new Uint32Array(6);
  for (let n = 0; n < 500; n++) {
    philox4x32(words.subarray(0, 4), n, 1, 2, 3, 4, 5);
    philox4x32(words.subarray(2, 6), n, 5, 4, 3, 2, 1);
    philox4x32(out, words[0]!, words[1]!, words[2]!, words[3]!, words[4]!, words[5]!);
    assertEquals([...out], slow([...words.subarray(0, 4)].map(BigInt), [...words.subarray(4)].map(BigInt)));
  }
});

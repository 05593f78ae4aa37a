/**
 * Philox4x32-10: a keyed bijection of 128-bit counters whose outputs pass statistical tests of randomness. It has no
 * state: random number `n` of a stream is a function of (key, n), so the order of the calls does not matter.
 * Source: Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3 and table 2.
 * @module
 */

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
/** golden ratio and √3 − 1, the Weyl increments of the two key words */
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/**
 * Writes one block of four random words to `out[0..3]`.
 *
 * The ten rounds run on plain integers of 32 bits; nothing is allocated.
 *
 * @param out u32[4], overwritten
 * @param c0 least significant word of the counter; all words are taken modulo 2³²
 * @param k0 least significant word of the key
 */
export function philox4x32(
  out: Uint32Array,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
): void {
  let x0 = c0 | 0, x1 = c1 | 0, x2 = c2 | 0, x3 = c3 | 0;
  let key0 = k0 | 0, key1 = k1 | 0;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(M0, x0);
    const low0 = Math.imul(M0, x0);
    const high1 = multiplyHigh(M1, x2);
    const low1 = Math.imul(M1, x2);
    x0 = high1 ^ x1 ^ key0;
    x1 = low1;
    x2 = high0 ^ x3 ^ key1;
    x3 = low0;
    key0 = (key0 + W0) | 0;
    key1 = (key1 + W1) | 0;
  }
  out[0] = x0;
  out[1] = x1;
  out[2] = x2;
  out[3] = x3;
}

/** The upper 32 bits of the product of two unsigned words, by halves of 16 bits: doubles hold 53 bits only. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff, aHigh = a >>> 16;
  const bLow = b & 0xffff, bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16); // below 2³²: (2¹⁶−1)² + 2¹⁶−1
  const cross = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + (middle >>> 16) + (cross >>> 16)) | 0;
}

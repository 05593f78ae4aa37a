/**
 * Python's `random.Random(seed)`: the Mersenne Twister MT19937 and the methods that the benchmarks' originals call, with the
 * same numbers. lm-evaluation-harness draws few-shot examples with it, langdetect its n-grams.
 * @module
 */

const SIZE = 624, MIDDLE = 397;

/** A generator with Python's sequence for an integer seed. */
export class PythonRandom {
  readonly #state = new Uint32Array(SIZE);
  #index = SIZE;
  #nextGauss: number | undefined;

  /** @param seed an integer of at most 32 bits, without a sign; or the 32-bit words of a larger one, the lowest first */
  constructor(seed: number | Uint32Array) {
    this.#fill(19650218);
    const state = this.#state, key = typeof seed === "number" ? Uint32Array.of(seed) : seed;
    let i = 1;
    for (let k = 0, j = 0; k < Math.max(SIZE, key.length); k++) {
      const before = state[i - 1]! ^ (state[i - 1]! >>> 30);
      state[i] = (state[i]! ^ Math.imul(before, 1664525)) + key[j]! + j;
      if (++i >= SIZE) [state[0], i] = [state[SIZE - 1]!, 1];
      if (++j >= key.length) j = 0;
    }
    for (let k = 0; k < SIZE - 1; k++) {
      const before = state[i - 1]! ^ (state[i - 1]! >>> 30);
      state[i] = (state[i]! ^ Math.imul(before, 1566083941)) - i;
      if (++i >= SIZE) [state[0], i] = [state[SIZE - 1]!, 1];
    }
    state[0] = 0x80000000;
  }

  /** Returns the generator of the integer with these bytes, the highest first. */
  static ofBytes(bytes: Uint8Array): PythonRandom {
    const words = new Uint32Array(Math.ceil(bytes.length / 4));
    for (const [k, byte] of [...bytes].reverse().entries()) words[k >> 2]! |= byte << (8 * (k & 3));
    let length = words.length;
    while (length > 1 && words[length - 1] === 0) length--;
    return new PythonRandom(words.slice(0, length));
  }

  #fill(seed: number): void {
    const state = this.#state;
    state[0] = seed;
    for (let i = 1; i < SIZE; i++) {
      const before = state[i - 1]! ^ (state[i - 1]! >>> 30);
      state[i] = Math.imul(before, 1812433253) + i;
    }
  }

  #word(): number {
    const state = this.#state;
    if (this.#index >= SIZE) {
      for (let i = 0; i < SIZE; i++) {
        const y = (state[i]! & 0x80000000) | (state[(i + 1) % SIZE]! & 0x7fffffff);
        state[i] = state[(i + MIDDLE) % SIZE]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      this.#index = 0;
    }
    let y = state[this.#index++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** Returns `random()`: a number in [0, 1) with 53 random bits. */
  random(): number {
    const high = this.#word() >>> 5, low = this.#word() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  /** Returns `_randbelow(n)`: an integer in [0, n), n at most 2^31. */
  below(n: number): number {
    const bits = 32 - Math.clz32(n);
    let value = this.#word() >>> (32 - bits);
    while (value >= n) value = this.#word() >>> (32 - bits);
    return value;
  }

  /** Returns `gauss(0, 1)`. */
  gauss(): number {
    const stored = this.#nextGauss;
    if (stored !== undefined) {
      this.#nextGauss = undefined;
      return stored;
    }
    const angle = this.random() * 2 * Math.PI;
    const radius = Math.sqrt(-2 * Math.log(1 - this.random()));
    this.#nextGauss = Math.sin(angle) * radius;
    return Math.cos(angle) * radius;
  }

  /** Returns `choice(items)`. */
  choice<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** Returns `items` in the order that `shuffle(items)` gives them. */
  shuffled<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
    }
    return shuffled;
  }

  /** Returns `sample(range(n), count)`: distinct positions in [0, n). */
  samplePositions(n: number, count: number): number[] {
    const result: number[] = [];
    // Python's rule: a pool of n where it is no larger than the set that it replaces, else a set.
    const setSize = count > 5 ? 21 + 4 ** Math.ceil(Math.log(count * 3) / Math.log(4)) : 21;
    if (n <= setSize) {
      const pool = Array.from({ length: n }, (_, i) => i);
      for (let i = 0; i < count; i++) {
        const j = this.below(n - i);
        result.push(pool[j]!);
        pool[j] = pool[n - i - 1]!;
      }
      return result;
    }
    const selected = new Set<number>();
    while (selected.size < count) {
      const j = this.below(n);
      if (selected.has(j)) continue;
      selected.add(j);
      result.push(j);
    }
    return result;
  }
}

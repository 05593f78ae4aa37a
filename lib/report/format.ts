/**
 * Numbers, durations and names as text: fixed digits, thousands separated by commas, a true minus sign, and a dash for
 * a missing value.
 * @module
 */

/** Shown in place of a value that is missing or not finite. */
export const MISSING = "–";

/** Returns `value` with `digits` decimals, for example `1,234.5`; a value that rounds to zero has no sign. */
export function decimal(value: number | undefined, digits: number): string {
  if (value === undefined || !Number.isFinite(value)) return MISSING;
  const text = Math.abs(value).toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return value < 0 && /[1-9]/.test(text) ? `−${text}` : text;
}

/** Returns `value` with its sign, for differences: `+0.095`. */
export function signed(value: number | undefined, digits: number): string {
  const text = decimal(value, digits);
  return text === MISSING || text.startsWith("−") || !/[1-9]/.test(text) ? text : `+${text}`;
}

/** Returns `value` with about `digits` significant digits, whatever its size: `0.00012`, `3.46`, `12,345`. */
export function significant(value: number | undefined, digits = 3): string {
  if (value === undefined || !Number.isFinite(value)) return MISSING;
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  if (size < -5) return value.toExponential(digits - 1).replace("-", "−").replace("e-", "e−");
  return decimal(value, Math.max(0, Number.isInteger(value) ? 0 : digits - 1 - size));
}

/** Returns a duration: `0.4 s`, `24 s`, `1 min 20 s`, `2 h 05 min`. */
export function duration(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds) || seconds < 0) return MISSING;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (n: number) => String(n).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.round((minutes % 1440) / 60)} h`;
}

/** Returns a size in bytes: `512 B`, `1.2 MB`, `7.1 GB` (powers of ten). */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${decimal(value, unit === 0 || value >= 99.95 ? 0 : 1)} ${units[unit]}`;
}

/** Returns `count` and its noun: `1 stage`, `1,200 stages`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${decimal(count, 0)} ${count === 1 ? noun : plural}`;
}

/** Abbreviations of the field, written in capitals. */
const ABBREVIATIONS = new Set(["dpo", "eos", "grpo", "kl", "lora", "nll", "ppo", "sft", "spin", "srppo"]);

/** Returns a name of a manifest or a metric in words: `continued_sft` is `continued SFT`. */
export function displayName(name: string): string {
  return name.split(/[._ ]/).map((word) => ABBREVIATIONS.has(word) ? word.toUpperCase() : word).join(" ");
}

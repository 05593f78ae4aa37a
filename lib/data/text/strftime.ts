/** Formats dates for templates, by npm `strftime`. @module */
import library from "strftime";

const DAY_MS = 86_400_000;

/**
 * Returns `clock` in the format of Python's `strftime` in the C locale.
 * @param clock a date without a time zone; its UTC fields are used
 */
export function strftime(format: string, clock: Date): string {
  const dayOfYear = Math.floor((clock.getTime() - Date.UTC(clock.getUTCFullYear(), 0, 0)) / DAY_MS);
  // Python's output where the library's differs: microseconds, the C locale, and %j, which it miscounts at midnight.
  const mended: Readonly<Record<string, string>> = {
    "%f": "000000",
    "%c": "%a %b %e %H:%M:%S %Y",
    "%X": "%H:%M:%S",
    "%j": String(dayOfYear).padStart(3, "0"),
    "%-j": String(dayOfYear),
  };
  return library.utc()(
    format.replace(/%(-?j|[fcX%])/g, (directive) => mended[directive] ?? directive),
    clock,
  );
}

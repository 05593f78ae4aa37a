/** Dates as Python's `strftime` writes them in the C locale, for templates that tell the date. @module */

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

/**
 * `clock` in the words of `format`. A hyphen (`%-d`) leaves out leading zeros; what is no directive stays.
 * @param clock a date without zone, its UTC fields taken as they are
 */
export function strftime(format: string, clock: Date): string {
  const [year, month, day] = [clock.getUTCFullYear(), clock.getUTCMonth(), clock.getUTCDate()];
  const [hours, minutes, seconds] = [clock.getUTCHours(), clock.getUTCMinutes(), clock.getUTCSeconds()];
  const pad = (value: number, width = 2): string => String(value).padStart(width, "0");
  const dayOfYear = (Date.UTC(year, month, day) - Date.UTC(year, 0, 1)) / 86_400_000 + 1;
  const directives: Readonly<Record<string, string>> = {
    Y: String(year),
    y: pad(year % 100),
    m: pad(month + 1),
    d: pad(day),
    e: String(day).padStart(2),
    H: pad(hours),
    I: pad(hours % 12 || 12),
    M: pad(minutes),
    S: pad(seconds),
    f: "000000",
    p: hours < 12 ? "AM" : "PM",
    j: pad(dayOfYear, 3),
    A: DAYS[clock.getUTCDay()]!,
    a: DAYS[clock.getUTCDay()]!.slice(0, 3),
    B: MONTHS[month]!,
    b: MONTHS[month]!.slice(0, 3),
    F: `${year}-${pad(month + 1)}-${pad(day)}`,
    T: `${pad(hours)}:${pad(minutes)}:${pad(seconds)}`,
    "%": "%",
  };
  return format.replace(/%(-?)([A-Za-z%])/g, (whole, hyphen: string, name: string) => {
    const text = directives[name];
    if (text === undefined) return whole;
    return hyphen === "" ? text : text.replace(/^[ 0]+(?=.)/, "");
  });
}

/** What people see of a run: the live display, the summary at its end, report.json and report.html. @module */
export { createDisplay, type Display, type DisplayOptions } from "./display.ts";

/** Long lists in messages: the first items, and how many more there are. @module */

/** How a list is shortened. */
export interface ListedOptions {
  /** items shown in full; default 10 */
  readonly most?: number;
  /** between items; default "; " */
  readonly separator?: string;
}

/** Returns the first `most` items joined by the separator, with "and N more" at the end where some are left out. */
export function listed(
  items: readonly string[],
  { most = 10, separator = "; " }: ListedOptions = {},
): string {
  const rest = items.length - most;
  return [...items.slice(0, most), ...(rest > 0 ? [`and ${rest} more`] : [])].join(separator);
}

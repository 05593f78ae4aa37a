/**
 * Profiles of whole programs: while profiling is on, every session that is made writes one, without the code that makes
 * it knowing.
 * @module
 */

/** What ends a session's profile. */
type EndProfile = () => void;

/** Profiling that was switched on. */
export interface Profiler {
  /** Leaves sessions that are made from now on alone. */
  stop(): void;
  /** Stops, and ends the profiles: their files are complete then. */
  end(): void;
}

let active: { readonly prefix: string; readonly open: Set<EndProfile>; made: number } | undefined;

/**
 * Profiles every session that is made from now on, in files `<prefix>-<number>_<time>.json`.
 * @throws {RangeError} if profiling is on already
 */
export function profileSessions(prefix: string): Profiler {
  if (active) {
    throw new RangeError(
      `Cannot profile sessions as one profiler must be on at a time: one writes ${active.prefix}`,
    );
  }
  const own = active = { prefix, open: new Set<EndProfile>(), made: 0 };
  const stop = () => {
    if (active === own) active = undefined;
  };
  return {
    stop,
    end() {
      stop();
      for (const endProfile of own.open) endProfile();
      own.open.clear();
    },
  };
}

/** A new session's part in the profiling that is on, if it is. */
export interface ProfiledSession {
  readonly prefix: string;
  /** to be told once the session is made, how its profile ends */
  opened(end: EndProfile): void;
  /** to be told that the session is gone, and its profile with it */
  closed(): void;
}

/** For sessions: undefined unless profiling is on. */
export function joinProfile(): ProfiledSession | undefined {
  if (!active) return undefined;
  const { open, prefix } = active;
  let end: EndProfile | undefined;
  return {
    prefix: `${prefix}-${active.made++}`,
    opened: (own) => open.add(end = own),
    closed: () => end && open.delete(end),
  };
}

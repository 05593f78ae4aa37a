/** Profiles of whole programs: while profiling is on, every new session writes a profile. @module */

/** Ends a session's profile. */
type EndProfile = () => void;

/** Profiling that is on. */
export interface Profiler {
  /** Stops profiling new sessions. */
  stop(): void;
  /** Stops, and completes the files of all profiles. */
  end(): void;
}

let active: { readonly prefix: string; readonly open: Set<EndProfile>; made: number } | undefined;

/**
 * Starts to profile new sessions into files `<prefix>-<number>_<time>.json`.
 * @throws {RangeError} if profiling is already on
 */
export function profileSessions(prefix: string): Profiler {
  if (active) {
    throw new RangeError(`Profiling is already on: another profiler writes ${active.prefix}`);
  }
  const profiling = active = { prefix, open: new Set<EndProfile>(), made: 0 };
  const stop = () => {
    if (active === profiling) active = undefined;
  };
  return {
    stop,
    end() {
      stop();
      for (const endProfile of profiling.open) endProfile();
      profiling.open.clear();
    },
  };
}

/** The profile of a new session. */
export interface ProfiledSession {
  readonly prefix: string;
  /** Registers the function that ends the profile; called after the session was created. */
  opened(end: EndProfile): void;
  /** Forgets the profile; called when the session is released. */
  closed(): void;
}

/** Returns the profile of a new session; undefined if profiling is off. */
export function joinProfile(): ProfiledSession | undefined {
  if (!active) return undefined;
  const { open, prefix } = active;
  let end: EndProfile | undefined;
  return {
    prefix: `${prefix}-${active.made++}`,
    opened: (endProfile) => open.add(end = endProfile),
    closed: () => end && open.delete(end),
  };
}

/** From when on: so many seconds ago, by the clock of whom is asked, or a time. */
export type Since = { readonly seconds: number } | { readonly time: string };

/** Which lines of a service are wanted. */
export interface LogQuery {
  /** The last ones of what there is; default: 100, or all of them where `since` says which. */
  readonly lines?: number | undefined;
  readonly since?: Since | undefined;
  /** Goes on with what comes, until it is stopped. */
  readonly follow: boolean;
}

const LINES = 100;
const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/**
 * How kubectl and docker write it.
 * @example parseSince("1h30m") // { seconds: 5400 }
 * @example parseSince("2026-01-31T10:00:00Z") // { time: "2026-01-31T10:00:00.000Z" }
 * @throws RangeError for any other text
 */
export function parseSince(text: string): Since {
  if (/^(?:\d+[smhd])+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+)([smhd])/g)];
    const seconds = parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (UNITS[unit] ?? 0), 0);
    if (seconds > 0 && Number.isSafeInteger(seconds)) return { seconds };
  }
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(time))
    throw new RangeError('expected a time ago such as 90s, 10m, 1h30m or 2d, or a time such as "2026-01-31T10:00:00Z"');
  return { time: new Date(time).toISOString() };
}

/** How many of the last lines. */
export function linesOf({ lines, since }: LogQuery): number | "all" {
  return lines ?? (since === undefined ? LINES : "all");
}

/** The words behind the service of the host program's `logs`. @example ["100"] @example ["all", "follow", "-600s"] */
export function hostWords(query: LogQuery): string[] {
  const { follow, since } = query;
  const lines = String(linesOf(query));
  if (!follow && since === undefined) return [lines];
  // journalctl's own words: before now, and seconds since 1970.
  const from =
    since === undefined
      ? []
      : ["seconds" in since ? `-${since.seconds}s` : `@${Math.floor(Date.parse(since.time) / 1000)}`];
  return [lines, follow ? "follow" : "once", ...from];
}

/** The parameters of the API server's `pods/log`. */
export function podQuery(query: LogQuery): Record<string, string> {
  const { since } = query;
  const lines = linesOf(query);
  return {
    timestamps: "true",
    ...(lines === "all" ? {} : { tailLines: String(lines) }),
    ...(since === undefined
      ? {}
      : "seconds" in since
        ? { sinceSeconds: String(since.seconds) }
        : { sinceTime: since.time }),
  };
}

const UNITS = { ms: 0.001, s: 1, min: 60, h: 3600, d: 86_400 } as const;

const DURATION = /^(\d+(?:\.\d+)?) ?(ms|s|min|h|d)$/;

/** A duration with its unit. @example "30 s" */
export type Duration = `${number} ${keyof typeof UNITS}`;

/**
 * Seconds of a {@link Duration}.
 * @example parseDuration("5 min") // 300
 * @throws RangeError when the text is no duration.
 */
export function parseDuration(duration: string): number {
  const match = DURATION.exec(duration);
  if (!match) throw new RangeError(`expected a duration such as "30 s" or "5 min", found ${JSON.stringify(duration)}`);
  return Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
}

/** True for text that {@link parseDuration} takes. */
export function isDuration(text: string): text is Duration {
  return DURATION.test(text);
}

/** Seconds as text for people. @example formatSeconds(83.4) // "1m23s" */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}m${String(whole % 60).padStart(2, "0")}s`;
  return `${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, "0")}m`;
}

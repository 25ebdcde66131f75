export const LEVELS = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof LEVELS)[number];

/** Writes one JSON object a line to stderr; what stands in it has passed the redactor. */
export type Log = (level: Level, message: string, fields?: Readonly<Record<string, unknown>>) => void;

/**
 * @param write where lines go
 * @param redact takes secrets out of a finished line
 */
export function jsonLog(write: (line: string) => void, redact: (text: string) => string, date: () => Date): Log {
  return (level, message, fields = {}) =>
    write(
      `${redact(JSON.stringify({ time: date().toISOString(), level, component: "tool-loader", message, ...fields }))}\n`,
    );
}

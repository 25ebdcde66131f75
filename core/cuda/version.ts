/**
 * A dotted version as numbers, for comparing; undefined where the text is no version of at most four parts.
 * @example parseVersion("535.104.05") // [535, 104, 5]
 */
export function parseVersion(text: string): number[] | undefined {
  return /^\d{1,6}(?:\.\d{1,6}){0,3}$/.test(text) ? text.split(".").map(Number) : undefined;
}

/**
 * Order of two dotted versions, for `toSorted`; a part that is absent counts as 0.
 * @example compareVersions("12.10", "12.9") > 0
 * @throws RangeError when one is no version.
 */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [a, b].map((text) => {
    const parts = parseVersion(text);
    if (parts === undefined) throw new RangeError(`expected a version such as 12.1, found ${JSON.stringify(text)}`);
    return parts;
  }) as [number[], number[]];
  for (let i = 0; i < Math.max(x.length, y.length); i++) {
    const difference = (x[i] ?? 0) - (y[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether version `a` is `b` or newer. @example isAtLeast("535.54.03", "535") // true */
export function isAtLeast(a: string, b: string): boolean {
  return compareVersions(a, b) >= 0;
}

const UNITS = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/**
 * A size with its unit: decimal (kB, MB, GB: powers of 1000, as registries count) or binary (KiB, MiB, GiB).
 * @example "500 MB"
 */
export type Size = `${number} ${keyof typeof UNITS}`;

/**
 * Bytes of a {@link Size}.
 * @example parseSize("50 MiB") // 52428800
 * @throws RangeError when the text is no size.
 */
export function parseSize(size: string): number {
  const match = /^(\d+(?:\.\d+)?) ?(B|kB|MB|GB|KiB|MiB|GiB)$/.exec(size);
  if (!match) throw new RangeError(`expected a size such as "500 MB" or "50 MiB", found ${JSON.stringify(size)}`);
  return Math.round(Number(match[1]) * UNITS[match[2] as keyof typeof UNITS]);
}

/**
 * Bytes as decimal text for people: three significant digits at most, MB from one million on.
 * @example formatBytes(488_900_000) // "489 MB"
 */
export function formatBytes(bytes: number): string {
  const sign = bytes < 0 ? "-" : "";
  const size = Math.abs(bytes);
  if (size < 1e3) return `${sign}${size} B`;
  const [unit, divisor] = size < 999_500 ? ["kB", 1e3] : size < 999_500_000 ? ["MB", 1e6] : ["GB", 1e9];
  const value = size / Number(divisor);
  return `${sign}${value.toFixed(value < 99.95 ? 1 : 0)} ${unit}`;
}

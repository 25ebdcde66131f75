/**
 * The middle of the sorted values; between the two middle ones where there is an even number.
 * @example median([3, 1, 2]) // 2
 * @throws RangeError without values.
 */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [below, at] = [sorted[middle - 1], sorted[middle]];
  if (at === undefined) throw new RangeError("there is no median of no values");
  return sorted.length % 2 === 1 || below === undefined ? at : (below + at) / 2;
}

/**
 * The name that somebody meant, for the end of a message; empty where none is near. Two letters that changed places are one mistake.
 * @example didYouMean("plattforms", ["platforms", "prebuilt"]) // '; did you mean "platforms"?'
 */
export function didYouMean(found: string, known: readonly string[]): string {
  const most = found.length < 6 ? 1 : 2;
  const near = known
    .map((name) => ({ name, distance: distance(found.toLowerCase(), name.toLowerCase()) }))
    .filter((one) => one.distance <= most)
    .toSorted((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))[0];
  return near === undefined ? "" : `; did you mean ${JSON.stringify(near.name)}?`;
}

/** Damerau's distance: letters added, left out, replaced, or changed with the next. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number) => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(
        Math.min(
          at(i - 1, j) + 1,
          at(i, j - 1) + 1,
          at(i - 1, j - 1) + same,
          swapped ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
  }
  return at(a.length, b.length);
}

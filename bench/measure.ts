import { performance } from "node:perf_hooks";
import { median } from "../core/median.ts";

/** One line of a bench's answer: a figure, and the bound that it must keep, where there is one. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: "s" | "x" | "MB" | "count" | "of 10";
  /** Largest value that is still good; undefined where the figure only informs. */
  readonly atMost?: number;
}

/** A bench: measures side by side in one run, so that the machine's mood cancels out of the ratio. */
export interface Bench {
  readonly name: string;
  readonly title: string;
  readonly run: (say: (line: string) => void) => Promise<readonly Figure[]>;
}

/** Seconds that a task takes. */
export async function seconds(task: () => unknown): Promise<number> {
  const begin = performance.now();
  await task();
  return (performance.now() - begin) / 1000;
}

/** Takes turns, so that what happens on the machine meanwhile meets both alike. Gives the median of each. */
export async function sideBySide(rounds: number, a: () => unknown, b: () => unknown): Promise<[number, number]> {
  const [as, bs]: [number[], number[]] = [[], []];
  for (let i = 0; i < rounds; i++) {
    as.push(await seconds(a));
    bs.push(await seconds(b));
  }
  return [median(as), median(bs)];
}

/** The median's ratio of a to b, with both seconds beside it. */
export function ratio(name: string, [a, b]: readonly [number, number], atMost?: number): Figure[] {
  return [
    { name: `${name}: keelson`, value: a, unit: "s" },
    { name: `${name}: beside it`, value: b, unit: "s" },
    { name: `${name}: ratio`, value: a / b, unit: "x", ...(atMost === undefined ? {} : { atMost }) },
  ];
}

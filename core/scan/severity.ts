/** How bad a vulnerability is, as scanners rate it; `unknown` where nobody has rated it yet. */
export type Rating = "critical" | "high" | "medium" | "low" | "unknown";

/** Worst first. */
export const RATINGS: readonly Rating[] = ["critical", "high", "medium", "low", "unknown"];

/** Lowest score of each rating (CVSS 3.1 section 5, the same in 4.0 section 6). */
const BANDS: readonly (readonly [Rating, number])[] = [
  ["critical", 9],
  ["high", 7],
  ["medium", 4],
  ["low", 0.1],
];

/** What databases call the ratings in words: GitHub's, Ubuntu's and Debian's. */
const WORDS: Readonly<Record<string, Rating>> = {
  critical: "critical",
  high: "high",
  moderate: "medium",
  medium: "medium",
  low: "low",
  negligible: "low",
  unimportant: "low",
};

/** @example ratingOfScore("9.8") // "critical" */
export function ratingOfScore(score: string): Rating {
  const value = Number.parseFloat(score);
  return BANDS.find(([, least]) => value >= least)?.[0] ?? "unknown";
}

/** @example ratingOfWord("MODERATE") // "medium" */
export const ratingOfWord = (word: string): Rating => WORDS[word.toLowerCase()] ?? "unknown";

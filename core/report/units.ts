/** Bytes as megabytes of 10^6 with one decimal: reports compare numbers with each other. @example megabytes(377_500_000) // "377.5 MB" */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** The difference to an earlier size. @example change(216e6, 206e6) // "+10.0 MB" */
export function change(now: number, before: number): string {
  const text = megabytes(Math.abs(now - before));
  return text === "0.0 MB" ? "±0.0 MB" : `${now > before ? "+" : "−"}${text}`;
}

/** A part of a whole. @example percent(1, 8) // "12.5 %" */
export function percent(part: number, whole: number): string {
  return whole === 0 ? "-" : `${((part / whole) * 100).toFixed(1)} %`;
}

/** The beginning of a digest, enough to find it. @example shortDigest("sha256:0123456789abcdef…") // "0123456789ab" */
export function shortDigest(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1).slice(0, 12);
}

/** What a build step did, without the builder's wrapping, cut to `length` characters. */
export function shortStep(createdBy: string | undefined, length = 80): string {
  const plain = (createdBy ?? "")
    .replace(/^RUN \|\d+ .*? \/bin\/\S*sh -c /s, "RUN ")
    .replace(/^\/bin\/sh -c #\(nop\) +/, "")
    .replace(/^(?:RUN )?\/bin\/\S*sh -\S*c /, "RUN ")
    .replace(/ # buildkit$/, "")
    .replaceAll(/\s+/g, " ")
    .trim();
  return plain.length > length ? `${plain.slice(0, length - 1)}…` : plain;
}

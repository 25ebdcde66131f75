/**
 * What keeps a name from being a bucket's: R2's rules, which S3's contain (developers.cloudflare.com/r2/buckets/create-buckets;
 * S3 also takes dots, with which no certificate for BUCKET.HOST fits).
 * @example bucketNameProblem("Tools") // "expected lower case letters, digits and hyphens, found a capital letter"
 * @returns undefined for a name that will do.
 */
export function bucketNameProblem(name: string): string | undefined {
  const expected = "expected 3 to 63 lower case letters, digits and hyphens, found";
  if (name.length < 3 || name.length > 63) return `${expected} ${name.length} characters`;
  if (name.startsWith("-") || name.endsWith("-")) return `${expected} a hyphen at an end`;
  const wrong = /[^a-z0-9-]/u.exec(name)?.[0];
  return wrong === undefined ? undefined : `${expected} ${JSON.stringify(wrong)}`;
}

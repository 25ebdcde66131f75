const SECRET_NAME = /TOKEN|SECRET|PASSW|CREDENTIAL|AUTH|PRIVATE|_KEY|APIKEY|ACCESS_KEY/i;

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s/@:]+:[^\s/@]+@/gi, "$1***@"],
  [/\b((?:proxy-)?authorization\s*[:=]\s*(?:bearer|basic|token|aws4-hmac-sha256)?\s*)[^\s"',;]+/gi, "$1***"],
  [/([?&](?:x-amz-(?:signature|credential|security-token)|sig|token|access_token|key)=)[^&\s"']+/gi, "$1***"],
  [/\b(gh[pousr]_|github_pat_|sk-(?:ant-)?|npm_|pypi-|xox[abprs]-|hf_)[A-Za-z0-9_-]{16,}/g, "$1***"],
  [/\bAKIA[0-9A-Z]{16}\b/g, "AKIA***"],
];

/**
 * Takes secrets out of text: the values of environment variables whose names say so, and what looks like a credential.
 * @example redactor({ API_TOKEN: "hunter2hunter2" })("got hunter2hunter2") // "got ***"
 */
export function redactor(env: Readonly<Record<string, string | undefined>>): (text: string) => string {
  const values = Object.entries(env)
    .filter(([name, value]) => SECRET_NAME.test(name) && value !== undefined && value.length >= 6)
    .map(([, value]) => value as string)
    // The longest first: one secret may hold another.
    .toSorted((a, b) => b.length - a.length);
  return (text) => {
    let out = text;
    for (const value of values) out = out.replaceAll(value, "***");
    for (const [pattern, replacement] of PATTERNS) out = out.replace(pattern, replacement);
    return out;
  };
}

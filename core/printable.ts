/**
 * Text from outside with its control characters made visible, so that it can't steer a terminal, break a line or write
 * backwards.
 * @example printable("a\u001b[31m") // "a·[31m"
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, "·");
}

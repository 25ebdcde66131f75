/**
 * Text from outside with its control characters made visible, so that it can't steer a terminal or break a line.
 * @example printable("a\u001b[31m") // "a·[31m"
 */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, "·");
}

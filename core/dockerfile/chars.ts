/** What the builder takes for white space (Go's unicode.IsSpace; JavaScript's \s differs in U+0085 and U+FEFF). */
const SPACE = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const SPACES_LEFT = new RegExp(`^${SPACE.source}+`);
const SPACES_RIGHT = new RegExp(`${SPACE.source}+$`);

export function isSpace(ch: string): boolean {
  return SPACE.test(ch);
}

export function trimStart(text: string): string {
  return text.replace(SPACES_LEFT, "");
}

export function trim(text: string): string {
  return trimStart(text).replace(SPACES_RIGHT, "");
}

/** The white space that ends an instruction's keyword and splits lists: line ends are gone by then. */
export const BLANKS = /[\t\v\f\r ]+/;

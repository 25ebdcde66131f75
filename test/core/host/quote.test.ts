import assert from "node:assert/strict";
import { quoteArgument } from "../../../core/host/quote.ts";

describe("arguments of systemd command lines", () => {
  const table: readonly (readonly [string, string])[] = [
    ["--name=weft", "--name=weft"],
    ["", '""'],
    ["a b", '"a b"'],
    ["100%", "100%%"],
    ["$HOME", "$$HOME"],
    ['say "hi"', '"say \\"hi\\""'],
    ["C:\\x", '"C:\\\\x"'],
    ["two\nlines", '"two\\nlines"'],
    ["it's; rm -rf /", '"it\'s; rm -rf /"'],
  ];
  for (const [argument, quoted] of table)
    it(`${JSON.stringify(argument)} is written ${quoted}`, () => assert.equal(quoteArgument(argument), quoted));
});

import { createInterface } from "node:readline/promises";
import { UserError } from "../core/error.ts";

/**
 * Asks on the terminal; anything but yes is no.
 * @throws UserError where there is no terminal
 */
export async function confirm(question: string): Promise<boolean> {
  requireTerminal();
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(?:es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

/** Before work that ends with a question. @throws UserError where there is no terminal to ask on */
export function requireTerminal(): void {
  if (process.stdin.isTTY) return;
  throw new UserError("this asks before it goes on, and there is no terminal to ask on", "add --yes");
}

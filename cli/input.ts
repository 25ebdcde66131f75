import type { Readable } from "node:stream";
import { UserError } from "../core/error.ts";

/** What a command that runs elsewhere reads. */
export interface Input {
  /** Default: nothing; the command finds its standard input ended. */
  readonly stream?: Readable;
  /** Where it shall have a terminal as this one is. */
  readonly terminal?: Terminal;
}

/** A terminal as those elsewhere have to know it. */
export interface Terminal {
  /** @example "xterm-256color" */
  readonly kind: string;
  readonly size: () => Size;
  readonly onResize: (tell: (size: Size) => void) => void;
}

export interface Size {
  readonly rows: number;
  readonly columns: number;
}

/** How a command line asks for it. */
export interface InputOptions {
  /** A terminal, such as a shell wants; every key goes there, Ctrl-C as well. */
  readonly tty: boolean;
  /** false: none of this process's standard input. */
  readonly stdin: boolean;
}

/**
 * Hands this process's standard input to work, and leaves terminal and input as they were.
 * @throws UserError where a terminal is asked for and there is none
 */
export async function withInput<T>({ tty, stdin }: InputOptions, work: (input: Input) => Promise<T>): Promise<T> {
  if (!tty) {
    try {
      return await work(stdin ? { stream: process.stdin } : {});
    } finally {
      // What nobody reads any more must not hold up the end.
      process.stdin.unpipe().destroy();
    }
  }
  if (!stdin || !process.stdin.isTTY || !process.stdout.isTTY)
    throw new UserError("-t wants a terminal, and this command has none", "leave out -t, or run it on a terminal");
  process.stdin.setRawMode(true);
  try {
    return await work({ stream: process.stdin, terminal: ownTerminal(process.stdout) });
  } finally {
    process.stdin.setRawMode(false);
    process.stdin.unpipe().destroy();
  }
}

function ownTerminal(output: NodeJS.WriteStream): Terminal {
  const size = () => ({ rows: output.rows, columns: output.columns });
  return {
    kind: process.env.TERM || "xterm",
    size,
    onResize: (tell) => void output.on("resize", () => tell(size())),
  };
}

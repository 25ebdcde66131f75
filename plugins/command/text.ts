import { StringDecoder } from "node:string_decoder";

/** Output without its last newline, as the official provider gives it. */
export function trimmed(output: string): string {
  return output.endsWith("\n") ? output.slice(0, -1) : output;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

/** A text in quotes as Go's `%q` writes it: letters of any alphabet stay, what can't be printed is escaped. */
export function quoted(text: string): string {
  const escaped = [...text].map((char) => {
    const known = ESCAPES[char];
    if (known !== undefined) return known;
    if (char === " " || /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(char)) return char;
    const code = char.codePointAt(0) ?? 0;
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
  return `"${escaped.join("")}"`;
}

/** A command's end as an error says it: how it ended, what ran, and all that it had said. */
export function failed(how: string, command: string, said: string): string {
  return `${how}: running ${quoted(command)}:\n${said}`;
}

/** Cuts what comes in pieces into lines. @example const lines = new Lines(log); lines.add(chunk); lines.end(); */
export class Lines {
  private readonly each: (line: string) => void;
  private readonly decoder = new StringDecoder("utf8");
  private rest = "";

  constructor(each: (line: string) => void) {
    this.each = each;
  }

  add(chunk: Buffer): void {
    const parts = (this.rest + this.decoder.write(chunk)).split("\n");
    this.rest = parts.pop() ?? "";
    for (const line of parts) this.each(line.replace(/\r$/, ""));
  }

  end(): void {
    this.rest += this.decoder.end();
    if (this.rest !== "") this.each(this.rest);
    this.rest = "";
  }
}

/** Which of a command's outputs are logged; both by default. */
export function logs(logging: string | undefined): { readonly stdout: boolean; readonly stderr: boolean } {
  const wanted = logging ?? "stdoutAndStderr";
  return {
    stdout: wanted === "stdout" || wanted === "stdoutAndStderr",
    stderr: wanted === "stderr" || wanted === "stdoutAndStderr",
  };
}

/**
 * One argument of a systemd command line: quoted, with systemd's own expansions (`%`, `$`, `\`) taken away.
 * @example quoteArgument("100% $HOME") // '"100%% $$HOME"'
 */
export function quoteArgument(argument: string): string {
  const plain = argument.replaceAll("%", "%%").replaceAll("$", "$$$$");
  if (/^[\w@%+=:,./$-]+$/.test(plain)) return plain;
  const escaped = plain
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", "\\n")
    .replaceAll("\t", "\\t")
    .replaceAll("\r", "\\r");
  return `"${escaped}"`;
}

/** A command line of systemd, one argument a line. @example commandLine(["/bin/echo", "a b"]) // '/bin/echo \\\n  "a b"' */
export function commandLine(args: readonly string[]): string {
  return args.map(quoteArgument).join(" \\\n  ");
}

/**
 * A failure that the person at the keyboard can mend: printed as one message without a stack, exit code 1.
 * @example throw new UserError('the registry at localhost:5443 does not answer', "run `npm run up` to start it");
 */
export class UserError extends Error {
  override readonly name = "UserError";
  /** What to do about it; one line. */
  readonly fix: string;

  constructor(message: string, fix: string, options?: ErrorOptions) {
    super(message, options);
    this.fix = fix;
  }
}

/**
 * A system's refusal that whoever sits there can mend, as a {@link UserError}; any other error as it is.
 * @example asUserError(error).message // "no space is left on the disk (write)"
 */
export function asUserError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof UserError) return error;
  const { code, path, syscall } = error as Error & { code?: unknown; path?: unknown; syscall?: unknown };
  if (code !== "ENOSPC" && code !== "EDQUOT") return error;
  const what = code === "ENOSPC" ? "no space is left on the disk" : "the disk quota is used up";
  const where = [syscall, path].filter((part) => typeof part === "string").join(" ");
  return new UserError(
    where === "" ? what : `${what} (${where})`,
    "make room, then run this again: what is done is kept. `keelson prune` and `npm run down -- --purge` give some back",
    { cause: error },
  );
}

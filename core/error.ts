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

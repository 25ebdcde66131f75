/** A failure in words that say it all: the engine is told without a stack. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly expected = true;
}

/** The words that start this loader again, as it was started. */
export function selfCommand(): string[] {
  return [process.execPath, ...process.execArgv, process.argv[1] as string];
}

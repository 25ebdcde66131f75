/** Where long work tells how it goes. */
export interface Progress {
  /** A line that stays. */
  say(line: string): void;
  /** What happens right now; the next call replaces it. */
  status(text: string): void;
}

/** Says nothing. */
export const silent: Progress = { say: () => {}, status: () => {} };

/** Lines on stderr; a status at most every 15 seconds, so that a log shows life and no flood. */
export function plainProgress(write: (line: string) => void = toStderr, now: () => number = Date.now): Progress {
  let last = now();
  return {
    say: write,
    status: (text) => {
      if (now() - last < 15_000) return;
      last = now();
      write(text);
    },
  };
}

function toStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}

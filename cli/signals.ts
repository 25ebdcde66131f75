const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

type Answer = (signal: NodeJS.Signals) => void;

const answers: Answer[] = [];

/**
 * Makes a signal end the process in order: without a listener it ends at once, and what is undone at exit (locks held,
 * children running) stays.
 */
export function endOnSignals(): void {
  for (const [signal, code] of Object.entries(EXIT_CODES)) {
    process.on(signal, () => {
      const answer = answers.at(-1);
      if (answer) answer(signal as NodeJS.Signals);
      else process.exit(code);
    });
  }
}

/** Makes the end of whoever reads the output, such as `head`, an end in order, as a shell's programs do: nobody misses more. */
export function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      process.exit();
    });
}

/**
 * Answers signals in another way until the returned function is called: for a command that must outlive a child.
 * @example const restore = answerSignals((signal) => child.kill(signal));
 */
export function answerSignals(answer: Answer): () => void {
  answers.push(answer);
  return () => {
    answers.splice(answers.lastIndexOf(answer), 1);
  };
}

import { execa } from "execa";
import { answerSignals } from "./signals.ts";

/** What the engine says when a signal has reached it. */
const RECEIVED = /(?:\^C|SIGTERM) received; /g;
/** One Ctrl-C may arrive in several ways, from the terminal's group and from npm: within this time it is one, milliseconds. */
const ONE_PRESS = 1000;

/** How the engine ended. */
export interface EngineEnd {
  readonly exitCode: number;
  /** Whether a signal ended it. */
  readonly stopped: boolean;
}

/**
 * Runs the engine to its end. On a terminal it draws there itself, and gets the terminal's Ctrl-C itself. Elsewhere its
 * lines are passed through, with what the plugin shows of a build set to that, and a signal is passed on unless the engine shows that it got it already: the second one
 * makes it drop what it does, and leave the outcome unknown.
 * @example await runEngine(["up", "--yes"], { cwd: root, env }) // { exitCode: 0, stopped: false }
 */
export async function runEngine(
  args: readonly string[],
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
  terminal: boolean = process.stdin.isTTY === true && process.stdout.isTTY === true,
  onePress: number = ONE_PRESS,
): Promise<EngineEnd> {
  const stdio = terminal ? ("inherit" as const) : (["inherit", "pipe", "pipe"] as const);
  const display = terminal ? {} : { KEELSON_PROGRESS: process.env.KEELSON_PROGRESS || "plain" };
  const env = { ...options.env, ...display };
  const child = execa("pulumi", args, { ...options, env, stdio, buffer: false, reject: false });
  let heard = 0;
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ] as const)
    from?.setEncoding("utf8").on("data", (text: string) => {
      heard += text.match(RECEIVED)?.length ?? 0;
      to.write(text);
    });
  let presses = 0;
  let last = Number.NEGATIVE_INFINITY;
  const restore = answerSignals((signal) => {
    if (terminal) {
      presses++;
      if (signal !== "SIGINT") child.kill(signal);
      return;
    }
    const now = performance.now();
    if (now - last < onePress) return;
    last = now;
    const mine = ++presses;
    setTimeout(() => heard < mine && child.kill(signal === "SIGHUP" ? "SIGINT" : signal), onePress).unref();
  });
  try {
    const { exitCode } = await child;
    return { exitCode: exitCode ?? 1, stopped: presses > 0 };
  } finally {
    restore();
  }
}

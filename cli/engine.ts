import { execa } from "execa";
import { answerSignals } from "./signals.ts";

/** What the engine says when a signal has reached it. */
const RECEIVED = /(?:\^C|SIGTERM) received; /g;
/** What the engine says of a plugin that did not answer its last question, and that said nothing itself. */
const SILENT_PLUGIN = /STDOUT and STDERR streams of the plugin:[^\S\n]*\n/;
/**
 * The engine gives a plugin half a second for that answer when it ends it (Plugin.healthCheck of its SDK): a busy machine takes longer.
 * A plugin that really died has left its last words there.
 */
const SILENT_PLUGIN_NOTE =
  'note: a plugin that "exited prematurely" without a word of its own was only slow to answer when the engine ended it, on a busy ' +
  "machine: nothing was lost by it";

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
  let isSilent = false;
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ] as const)
    from?.setEncoding("utf8").on("data", (text: string) => {
      heard += text.match(RECEIVED)?.length ?? 0;
      isSilent ||= SILENT_PLUGIN.test(text);
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
    if (isSilent) process.stderr.write(`${SILENT_PLUGIN_NOTE}\n`);
    return { exitCode: exitCode ?? 1, stopped: presses > 0 };
  } finally {
    restore();
  }
}

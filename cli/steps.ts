import { Listr, PRESET_TIMER } from "listr2";
import type { Progress } from "../toolchain/progress.ts";
import { timed } from "../toolchain/timings.ts";

/** One step of long work. */
export interface Step<Context> {
  readonly title: string;
  /** @returns what to show behind the title when it is done. */
  readonly run: (context: Context, progress: Progress) => Promise<string | undefined>;
}

/**
 * Runs steps one after the other and shows which, how far and how long: a live list on a terminal, plain lines elsewhere.
 * The first failure ends the run; it is thrown on.
 */
export async function runSteps<Context extends object>(
  context: Context,
  steps: readonly Step<Context>[],
  terminal: boolean = process.stderr.isTTY === true,
): Promise<void> {
  if (!terminal) return runPlain(context, steps);
  const list = new Listr<Context>(
    steps.map((step, i) => ({
      title: `${i + 1}/${steps.length} ${step.title}`,
      rendererOptions: { persistentOutput: false, timer: PRESET_TIMER },
      task: async (_, task) => {
        const said: string[] = [];
        const show = (line: string) => {
          task.output = line;
        };
        const say = (line: string) => {
          said.push(line);
          show(line);
        };
        const done = await timed(`step ${step.title}`, () => step.run(context, { say, status: show }));
        const detail = [done, ...said].filter(Boolean).join("; ");
        task.title = `${i + 1}/${steps.length} ${step.title}${detail === "" ? "" : `: ${detail}`}`;
      },
    })),
    { ctx: context, registerSignalListeners: false, collectErrors: false },
  );
  await list.run(context);
}

/** At most one line of status in this time, milliseconds: a log shows life and no flood. */
const STATUS_EVERY = 15_000;

async function runPlain<Context>(context: Context, steps: readonly Step<Context>[]): Promise<void> {
  for (const [i, step] of steps.entries()) {
    const name = `[${i + 1}/${steps.length}] ${step.title}`;
    const begin = performance.now();
    let last = begin;
    const write = (line: string) => process.stderr.write(`${line}\n`);
    write(`${name} …`);
    const progress: Progress = {
      say: (line) => write(`    ${line}`),
      status: (line) => {
        if (performance.now() - last < STATUS_EVERY) return;
        last = performance.now();
        write(`    ${line}`);
      },
    };
    const done = await timed(`step ${step.title}`, () => step.run(context, progress));
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    write(`${name}: ${done ?? "done"} (${seconds}s)`);
  }
}

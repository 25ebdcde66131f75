import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { projectRoot } from "../toolchain/home.ts";
import { parseTimings, type Timing } from "../toolchain/timings.ts";
import { type Bench, type Figure, seconds } from "./measure.ts";

/**
 * What a new user waits for: a fresh clone of the last commit and an empty keelson home, `npm run up`, split by the run's
 * own timings. Go's caches are the user's, unless BENCH_GO=cold; what apt has installed stays. Images are built in
 * parallel: their lines add up to more than the clock.
 */
export const coldBench: Bench = {
  name: "cold",
  title: `npm run up from nothing, Go's caches ${process.env.BENCH_GO === "cold" ? "empty" : "as they are"}`,
  async run(say) {
    const folder = mkdtempSync(join(tmpdir(), "keelson-bench-cold-"));
    const [clone, timings] = [join(folder, "keelson"), join(folder, "timings")];
    mkdirSync(join(folder, "home"));
    const env = {
      KEELSON_HOME: join(folder, "home"),
      KEELSON_TIMINGS: timings,
      ...(process.env.BENCH_GO === "cold"
        ? { GOCACHE: join(folder, "go", "build"), GOMODCACHE: join(folder, "go", "mod"), GOFLAGS: "-modcacherw" }
        : {}),
    };
    const run = (command: string, args: string[]) => execa(command, args, { cwd: clone, env });
    try {
      await execa("git", ["clone", "--quiet", projectRoot(), clone]);
      say("npm ci");
      const modules = await seconds(() => run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]));
      say("npm run up");
      const up = await seconds(() => run("npm", ["run", "up"]));
      const noted = parseTimings(readFileSync(timings, "utf8"));
      const again = await seconds(() => run("npm", ["run", "up"]));
      return [
        { name: "npm packages", value: modules, unit: "s" },
        ...noted.filter(isWorth).map(figure),
        ...["build", "push", "smoke", "gates", "packages"].map((kind) => sum(kind, noted)),
        { name: "npm run up, by the clock", value: up, unit: "s" },
        { name: "npm run up again", value: again, unit: "s" },
      ];
    } finally {
      if (existsSync(clone))
        execFileSync("npm", ["run", "--silent", "down"], { cwd: clone, env: { ...process.env, ...env } });
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** A tool's own line stands within the step that asked for it. */
function isWorth({ seconds: value }: Timing): boolean {
  return value >= 0.1;
}

function figure({ name, seconds: value }: Timing): Figure {
  return { name, value, unit: "s" };
}

function sum(kind: string, timings: readonly Timing[]): Figure {
  const value = timings.filter(({ name }) => name.startsWith(`${kind} `)).reduce((total, t) => total + t.seconds, 0);
  return { name: `all of ${kind}`, value, unit: "s" };
}

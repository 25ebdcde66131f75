import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { projectRoot } from "../toolchain/home.ts";
import { pulumiEnvironment } from "../toolchain/pulumi-environment.ts";
import { ensureTool, linkReadyTools } from "../toolchain/tools.ts";
import { type Bench, ratio, sideBySide } from "./measure.ts";

/** An up with nothing to do against the up of a program that holds nothing, on the same engine and kind of state. */
export const idleBench: Bench = {
  name: "idle",
  title: "an up with nothing to do against an empty program's up (both --skip-preview)",
  async run(say) {
    const root = projectRoot();
    const empty = mkdtempSync(join(tmpdir(), "keelson-bench-empty-"));
    await ensureTool("pulumi");
    await linkReadyTools();
    const env = pulumiEnvironment(root);
    const emptyEnv = { ...env, PULUMI_BACKEND_URL: `file://${empty}/state` };
    try {
      mkdirSync(join(empty, "state"));
      writeFileSync(
        join(empty, "Pulumi.yaml"),
        "name: empty\nmain: index.ts\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n",
      );
      writeFileSync(join(empty, "package.json"), '{ "name": "empty", "type": "module", "main": "index.ts" }\n');
      writeFileSync(
        join(empty, "index.ts"),
        'import * as pulumi from "@pulumi/pulumi";\nexport const stack = pulumi.getStack();\n',
      );
      symlinkSync(join(root, "node_modules"), join(empty, "node_modules"));
      await execa("pulumi", ["stack", "init", "dev", "--non-interactive"], { cwd: empty, env: emptyEnv });
      const up = ["up", "--yes", "--skip-preview", "--stack", "dev", "--non-interactive"];
      const keelson = () => execa("pulumi", [...up, "--expect-no-changes"], { cwd: root, env });
      const nothing = () => execa("pulumi", up, { cwd: empty, env: emptyEnv });
      say("bringing stack dev up, then one round each to warm up");
      await execa(process.execPath, [join(root, "cli", "main.ts"), "up", "--no-run"], { cwd: root });
      await keelson();
      await nothing();
      return ratio("up with nothing to do", await sideBySide(7, keelson, nothing), 1.5);
    } finally {
      rmSync(empty, { recursive: true });
    }
  },
};

import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { home, projectRoot } from "../../toolchain/home.ts";
import { pulumiEnvironment } from "../../toolchain/pulumi-environment.ts";
import { ensureTool } from "../../toolchain/tools.ts";

const root = projectRoot();
const isRoot = process.getuid?.() === 0;

describe("toolchain", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "keelson e2e "));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Command lines of the processes that mention the test's folder. */
  function processes(): string[] {
    return readdirSync("/proc")
      .filter((pid) => /^\d+$/.test(pid))
      .map((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        } catch {
          return "";
        }
      })
      .filter((line) => line.includes(folder));
  }

  async function eventually(what: string, holds: () => boolean) {
    for (let i = 0; i < 300 && !holds(); i++) await sleep(100);
    assert.ok(holds(), what);
  }

  describe("engine and language host", () => {
    const PROGRAM = `import * as pulumi from "@pulumi/pulumi";
interface Size { readonly bytes: number }
class Box extends pulumi.ComponentResource {
  declare readonly size: pulumi.Output<Size>;
  constructor(name: string, size: Size) {
    super("test:index:Box", name);
    this.size = pulumi.output(size);
    this.registerOutputs({ size });
  }
}
const box: Box = new Box("box", { bytes: 3 } satisfies Size);
export const bytes = box.size.bytes;
export const password = new pulumi.Config().requireSecret("password");
`;
    let env: Record<string, string>;
    const pulumi = (...args: string[]) =>
      execa("pulumi", [...args, "--non-interactive"], { cwd: folder, env, reject: false, all: true });

    beforeEach(async () => {
      await ensureTool("pulumi");
      mkdirSync(join(folder, "state"));
      env = { ...pulumiEnvironment(), PULUMI_BACKEND_URL: `file://${encodeURI(folder)}/state` };
      symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
      writeFileSync(join(folder, "package.json"), '{"type":"module"}');
      writeFileSync(
        join(folder, "Pulumi.yaml"),
        "name: boxes\nmain: index.ts\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n",
      );
      writeFileSync(join(folder, "index.ts"), PROGRAM);
      assert.equal((await pulumi("stack", "init", "dev")).exitCode, 0);
      assert.equal((await pulumi("config", "set", "--secret", "password", "hunter2", "-s", "dev")).exitCode, 0);
    });

    it("run a TypeScript program, and an edited one at once", async () => {
      const first = await pulumi("up", "-s", "dev", "--yes", "--skip-preview");
      assert.equal(first.exitCode, 0, first.all);
      assert.equal((await pulumi("stack", "output", "bytes", "-s", "dev")).stdout, "3");
      assert.doesNotMatch(first.all, /hunter2|warning/);
      writeFileSync(join(folder, "index.ts"), PROGRAM.replace("bytes: 3", "bytes: 4"));
      const preview = await pulumi("preview", "-s", "dev", "--diff");
      assert.equal(preview.exitCode, 0, preview.all);
      assert.match(preview.all, /bytes\s*: 3 => 4/);
    });

    it("tell a program's mistake with its place", async () => {
      appendFileSync(join(folder, "index.ts"), 'throw new Error("boom");\n');
      const { exitCode, all } = await pulumi("preview", "-s", "dev");
      assert.notEqual(exitCode, 0);
      assert.match(all, /Error: boom[\s\S]*index\.ts/);
    });

    it("leave neither lock nor process behind on Ctrl-C", async () => {
      appendFileSync(join(folder, "index.ts"), "await new Promise((done) => setTimeout(done, 120_000));\n");
      const running = pulumi("up", "-s", "dev", "--yes", "--skip-preview");
      await eventually("the program runs", () => processes().some((line) => line.includes("cmd/run")));
      running.kill("SIGINT");
      assert.notEqual((await running).exitCode, 0);
      const locks = join(folder, "state", ".pulumi", "locks", "organization", "boxes", "dev");
      assert.deepEqual(existsSync(locks) ? readdirSync(locks) : [], []);
      await eventually(`no process is left: ${processes()}`, () => processes().length === 0);
    });
  });

  describe("tools", () => {
    let own: ReturnType<typeof home>;
    beforeEach(() => {
      own = home({ KEELSON_HOME: join(folder, "home") });
    });
    const keelson = (args: readonly string[], env: Record<string, string> = {}, wrapper: readonly string[] = []) => {
      const [command = "", ...rest] = [...wrapper, process.execPath, join(root, "cli", "main.ts"), ...args];
      return execa(command, rest, { env: { KEELSON_HOME: own.root, ...env }, reject: false, all: true });
    };
    const leftovers = () => [...readdirSync(own.tmp), ...readdirSync(own.locks)];

    it("come from the caches of Go, checked, and are found again", async () => {
      const first = await keelson(["tools", "buildctl"]);
      assert.equal(first.exitCode, 0, first.all);
      assert.match(first.all, /built from Go modules/);
      const again = await keelson(["tools", "buildctl"]);
      assert.doesNotMatch(again.all, /built from/);
      assert.match(again.all, /buildctl: 0\.31\.0 \(built\)/);
      const [entry = ""] = readdirSync(join(own.tools, "buildctl"));
      const { stdout } = await execa(join(own.tools, "buildctl", entry, "buildctl"), ["--version"]);
      assert.match(stdout, /v0\.31\.0/);
      assert.deepEqual(leftovers(), []);
    });

    it("are the same bytes when built again from another place", async () => {
      await keelson(["tools", "buildctl"]);
      const sum = () => {
        const [entry = ""] = readdirSync(join(own.tools, "buildctl"));
        return JSON.parse(readFileSync(join(own.tools, "buildctl", entry, "manifest.json"), "utf8")).files.buildctl
          .sha256;
      };
      const first = sum();
      own = home({ KEELSON_HOME: join(folder, "another home") });
      await keelson(["tools", "buildctl"]);
      assert.equal(sum(), first);
    });

    it("are made anew when damaged, with one line said", async () => {
      await keelson(["tools", "buildctl"]);
      const [entry = ""] = readdirSync(join(own.tools, "buildctl"));
      writeFileSync(join(own.tools, "buildctl", entry, "buildctl"), "garbage", { mode: 0o755 });
      const doctor = await keelson(["doctor", "--json"]);
      const told = JSON.parse(doctor.stdout).find(({ name }: { name: string }) => name === "buildctl");
      assert.deepEqual([told.state, told.fix], ["corrupt", "npm run keelson -- tools buildctl"]);
      const again = await keelson(["tools", "buildctl"]);
      assert.equal(again.exitCode, 0, again.all);
      assert.equal(again.all.match(/has 7 bytes, expected \d+; fetching it anew/g)?.length, 1);
    });

    it("are built once when two runs want them", async () => {
      const [one, two] = await Promise.all([keelson(["tools", "buildctl"]), keelson(["tools", "buildctl"])]);
      assert.deepEqual([one.exitCode, two.exitCode], [0, 0], `${one.all}\n${two.all}`);
      assert.equal(`${one.all}${two.all}`.match(/ready after/g)?.length, 1);
      assert.match(`${one.all}${two.all}`, /waiting for process \d+/);
      assert.deepEqual(leftovers(), []);
    });

    it("survive a run that is killed in the middle of a build", async () => {
      const killed = keelson(["tools", "buildctl"], { GOCACHE: join(folder, "go cache") });
      await eventually(
        "it builds",
        () => existsSync(join(folder, "go cache")) && existsSync(own.tmp) && leftovers().length > 1,
      );
      killed.kill("SIGKILL");
      await killed;
      assert.ok(leftovers().length > 0, "it was in the middle");
      const next = await keelson(["tools", "buildctl"]);
      assert.equal(next.exitCode, 0, next.all);
      assert.deepEqual(leftovers(), []);
    });

    it("leave no process and no lock on Ctrl-C in the middle of a build", async () => {
      const stopped = keelson(["tools", "buildctl"], { GOCACHE: join(folder, "go cache") });
      await eventually("it builds", () => processes().some((line) => / build /.test(line)));
      stopped.kill("SIGINT");
      assert.equal((await stopped).exitCode, 130);
      await eventually("no go is left", () => processes().length === 0);
      assert.deepEqual(readdirSync(own.locks), []);
    });

    it("say where they can't be kept", async () => {
      const { exitCode, all } = await keelson(["tools", "buildctl"], { KEELSON_HOME: "/proc/keelson" });
      assert.equal(exitCode, 1);
      assert.match(
        all,
        /error: keelson keeps its tools in \/proc\/keelson, which can't be written[\s\S]*set KEELSON_HOME/,
      );
    });

    (isRoot ? it : it.skip)("say what to install where there is no Go and no network", async () => {
      const cut = ["unshare", "--mount", "--net", "sh", "-c", 'mount -t tmpfs none /usr/local/go; exec "$@"', "sh"];
      const { exitCode, all } = await keelson(["tools", "pulumi"], { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" }, cut);
      assert.equal(exitCode, 1);
      assert.match(
        all,
        /error: pulumi 3\.259\.0 .* can't be had: official download: .*; no Go on PATH; install Go 1\.26/,
      );
      assert.doesNotMatch(all, /\n\s+at /);
    });

    (isRoot ? it : it.skip)("say what Go says where its modules can't be had", async () => {
      const { exitCode, all } = await keelson(["tools", "buildctl"], { GOMODCACHE: join(folder, "modules") }, [
        "unshare",
        "--net",
      ]);
      assert.equal(exitCode, 1);
      assert.match(all, /error: buildctl 0\.31\.0 .* can't be had: .*dial/);
      assert.deepEqual(leftovers(), []);
    });

    it("come out of the distribution's package without installing it", async function () {
      if (!existsSync("/usr/bin/dpkg-deb")) this.skip();
      const { exitCode, all } = await keelson(["tools", "runc"], { PATH: "/usr/bin:/bin" }, hideRunc());
      assert.equal(exitCode, 0, all);
      assert.match(all, /from the Debian package runc/);
      assert.deepEqual(leftovers(), []);
    });

    /** The machine's own runc, where it has one, is covered by a folder for this run. */
    function hideRunc(): readonly string[] {
      if (!existsSync("/usr/sbin/runc")) return [];
      return ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null /usr/sbin/runc; exec "$@"', "sh"];
    }
  });
});

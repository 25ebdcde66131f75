import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { parseSize } from "../../core/size.ts";
import type { ImageResult } from "../../core/summary.ts";
import { lastKnownServices, servicesStatus, stopGateway } from "../../toolchain/services/index.ts";
import { ensureTool } from "../../toolchain/tools.ts";

const project = join(import.meta.dirname, "../..");
const IMAGES = ["gateway-core", "worker-minimal", "worker-ultramin"];
const PLATFORMS = ["linux/amd64", "linux/arm64"];

interface Health {
  readonly status: string;
  readonly gateway: string;
  readonly tools: Record<string, string>;
  readonly toolDetails: Record<string, { readonly source: string | null }>;
}

/** Whether it comes true within a minute: jobs of the loader give way to all that runs. */
async function until(holds: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 120; tries++) {
    if (await holds()) return true;
    await sleep(500);
  }
  return false;
}

/**
 * What a new user does, in a fresh clone under a path with spaces. Tools, services and the base are there
 * already (setup.ts makes them, for all suites once), and images too on a machine that has built them before: what is made
 * from nothing is measured by `npm run bench -- cold`, and an edit below is built for certain.
 */
describe("a fresh clone", () => {
  let folder: string;
  let clone: string;
  /** What the first up said. */
  let told = "";
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "keelson fresh clone "));
    clone = join(folder, "keelson");
    await execa("git", ["clone", "--quiet", project, clone]);
    await execa("git", ["config", "user.name", "test"], { cwd: clone });
    await execa("git", ["config", "user.email", "test@example.invalid"], { cwd: clone });
  });
  after(async () => {
    await stopGateway();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs a command in the clone as a user's shell would; output also goes to the terminal. */
  const npm = (args: string[]) => execa("npm", args, { cwd: clone, all: true, reject: false, input: "" });
  const shell = (command: string) =>
    execa("bash", ["-c", `eval "$(npm run --silent env)" && ${command}`], { cwd: clone, all: true, reject: false });

  const outputs = async () => {
    const { stdout } = await shell("pulumi stack output images --json --stack dev");
    return JSON.parse(stdout) as Record<string, ImageResult>;
  };

  it("npm run up builds, checks and pushes every image of stack dev", async () => {
    const { exitCode, all } = await npm(["run", "up"]);
    assert.equal(exitCode, 0, all);
    for (const image of IMAGES) assert.match(all, new RegExp(`^${image} +linux/amd64 .*sha256:[0-9a-f]{12}…`, "m"));
    assert.match(all, /linux\/arm64/);
    assert.match(all, /Next: npm run/);
    told = all;
  });

  it("runs the gateway, whose tools load once it is healthy, and prints its health", async () => {
    const [, url = ""] = /^gateway-core is healthy: (http:\/\/127\.0\.0\.1:\d+)\/health\?full=true$/m.exec(told) ?? [];
    assert.match(told, /^ {2}tools: .*ck-search/m);
    const asked = async () => (await fetch(`${url}/health?full=true`)).json() as Promise<Health>;
    const { status, gateway, tools, toolDetails } = await asked();
    assert.deepEqual([status, gateway], ["healthy", "running"]);
    assert.equal(tools["sentence-transformers"] === undefined, false);
    const begun = await until(async () => (await asked()).toolDetails.node?.source === "baked");
    assert.ok(begun, `its jobs run: ${JSON.stringify(toolDetails)}`);
    const inside = (...words: string[]) =>
      npm(["run", "--silent", "keelson", "--", "services", "exec", "gateway", ...words]);
    const listed = await inside("tool-loader", "list", "--json");
    assert.equal(listed.exitCode, 0, listed.all);
    assert.ok(JSON.parse(listed.stdout).some(({ tool }: { tool: string }) => tool === "ck-search"));
    assert.equal((await inside("sh", "-c", "exit 7")).exitCode, 7);
  });

  it("leaves the gateway alone that runs, starts one that was killed, and starts none where that is not wanted", async () => {
    const pid = async () => (await servicesStatus()).find(({ name }) => name === "gateway")?.pid;
    const before = await pid();
    assert.ok(before);
    assert.match((await npm(["run", "up"])).all, /^gateway-core is (?:healthy|degraded): /m);
    assert.equal(await pid(), before);
    process.kill(before, "SIGKILL");
    assert.match((await npm(["run", "up"])).all, /^gateway-core is healthy: /m);
    const after = await pid();
    assert.notEqual(after, before);
    await stopGateway();
    const { all } = await npm(["run", "up", "--", "--no-run"]);
    assert.doesNotMatch(all, /gateway-core is/);
    assert.equal(await pid(), undefined);
  });

  it("leaves an index with both platforms in the registry, as another client sees it", async () => {
    const services = await lastKnownServices();
    assert.ok(services, "the services' state is known");
    const skopeo = (await ensureTool("skopeo")).path;
    for (const image of IMAGES) {
      const ref = `docker://${services.registry.host}/${image}`;
      const tags = JSON.parse((await execa(skopeo, ["list-tags", "--cert-dir", services.registry.trust, ref])).stdout);
      const { digest, tags: own } = (await outputs())[image] ?? assert.fail(`no output for ${image}`);
      assert.equal(own.length, 1);
      for (const tag of own) assert.ok(tags.Tags.includes(tag), `${image} has ${tag}`);
      const { stdout } = await execa(skopeo, [
        "inspect",
        "--raw",
        "--cert-dir",
        services.registry.trust,
        `${ref}@${digest}`,
      ]);
      const index = JSON.parse(stdout) as { manifests: { platform: { os: string; architecture: string } }[] };
      assert.deepEqual(index.manifests.map((m) => `${m.platform.os}/${m.platform.architecture}`).toSorted(), PLATFORMS);
    }
  });

  it("reports the worker images as pushed: 001's tables and a verdict, and a page with pictures", async () => {
    const report = (...args: string[]) => npm(["run", "--silent", "keelson", "--", "report", ...args]);
    const { stdout, exitCode } = await report("worker", "--json");
    assert.equal(exitCode, 0, stdout);
    assert.match(JSON.stringify(JSON.parse(stdout).verdict), /GO/);
    assert.match((await report("worker", "--markdown")).stdout, /^\| .*linux\/arm64/m);
    const page = join(folder, "report.html");
    const { exitCode: code, all } = await report(...IMAGES, "--html", page);
    assert.equal(code, 0, all);
    const html = readFileSync(page, "utf8");
    for (const image of IMAGES) assert.ok(html.includes(image));
    assert.match(html, /<svg/);
  });

  it("does nothing the second time", async () => {
    const { exitCode, all } = await npm(["run", "up", "--", "--no-run"]);
    assert.equal(exitCode, 0, all);
    assert.match(all, /^0 of 3 images changed\./m);
    assert.doesNotMatch(all, / built /);
  });

  it("pulumi works by itself on the same state after `npm run env`", async () => {
    const preview = await shell("pulumi preview --stack dev --non-interactive --expect-no-changes");
    assert.equal(preview.exitCode, 0, preview.all);
    const refresh = await shell("pulumi refresh --stack dev --yes --non-interactive --expect-no-changes");
    assert.equal(refresh.exitCode, 0, refresh.all);
    rmSync(join(clone, ".keelson/dev.snapshot.json"));
    const up = await shell("pulumi up --stack dev --yes --non-interactive --expect-no-changes");
    assert.equal(up.exitCode, 0, up.all);
    const impact = await npm(["run", "--silent", "keelson", "--", "impact"]);
    assert.match(impact.all, /^compared with this checkout's last up of stack dev:\nno image rebuilds/);
  });

  it("a second checkout without any state builds nothing", async () => {
    const other = join(folder, "other");
    await execa("git", ["clone", "--quiet", project, other]);
    const { exitCode, all } = await execa("npm", ["run", "up", "--", "--no-run"], {
      cwd: other,
      all: true,
      reject: false,
      input: "",
    });
    assert.equal(exitCode, 0, all);
    assert.doesNotMatch(all, / built /);
  });

  it("an edit of a program file shows in the next preview, with no build step between", async () => {
    appendFileSync(join(clone, "index.ts"), '\nexport const edited = "yes";\n');
    const { exitCode, all } = await shell("pulumi preview --stack dev --non-interactive");
    assert.equal(exitCode, 0, all);
    assert.match(all, /edited *: "yes"/);
    await execa("git", ["checkout", "--quiet", "index.ts"], { cwd: clone });
  });

  it("the outputs name digests, sizes within budget and tags", async () => {
    const images = await outputs();
    assert.deepEqual(Object.keys(images).toSorted(), IMAGES);
    for (const image of Object.values(images)) {
      assert.match(image.ref, /^localhost:\d+\/(?:worker|gateway)-[a-z]+@sha256:[0-9a-f]{64}$/);
      assert.deepEqual(image.platforms.map((p) => p.platform).toSorted(), PLATFORMS);
      assert.match(image.tags.join(), /^(?:worker|gateway)-\d{8}-[0-9a-f]{7}$/);
      const most = parseSize(image.budget.unpacked ?? assert.fail("no budget for the unpacked size"));
      for (const p of image.platforms)
        assert.ok(p.compressed > 50e6 && p.unpacked > p.compressed && p.unpacked <= most, JSON.stringify(p));
    }
  });

  it("destroy leaves the stack empty and the images in the registry", async () => {
    const { exitCode, all } = await shell("pulumi destroy --stack dev --yes --non-interactive");
    assert.equal(exitCode, 0, all);
    const again = await npm(["run", "up", "--", "--no-run"]);
    assert.equal(again.exitCode, 0, again.all);
    assert.doesNotMatch(again.all, / built /);
  });

  describe("with bad input", () => {
    const dev = () => join(clone, "Pulumi.dev.yaml");
    let original: string;
    beforeEach(() => {
      original = readFileSync(dev(), "utf8");
    });
    afterEach(() => execa("git", ["checkout", "--quiet", "."], { cwd: clone }));

    it("names the stacks that there are", async () => {
      const { exitCode, all } = await npm(["run", "up", "--", "--stack", "dve"]);
      assert.notEqual(exitCode, 0);
      assert.match(all, /there is no stack "dve"/);
      assert.match(all, /did you mean "dev"\?/);
      assert.doesNotMatch(all, /\n\s+at /, "no stack trace");
    });

    for (const [how, run] of [
      ["npm run up", () => npm(["run", "up"])],
      ["pulumi preview", () => shell("pulumi preview --stack dev --non-interactive")],
    ] as const)
      it(`${how} tells all config errors at once`, async () => {
        assert.ok(original.includes("keelson:builder"));
        appendFileSync(dev(), "  keelson:bulider: auto\n  keelson:platforms: [linux/riscv64]\n  keelson:cache: 7\n");
        const { exitCode, all } = await run();
        assert.notEqual(exitCode, 0);
        for (const key of ["keelson:bulider", "keelson:platforms\\[0\\]", "keelson:cache"])
          assert.match(all, new RegExp(key));
        assert.doesNotMatch(all, /\n\s+at /, "no stack trace");
      });

    it("an image that isn't there is found before anything starts", async () => {
      writeFileSync(dev(), original.replace("    - worker-minimal\n", "    - worker-minmal\n"));
      const { exitCode, all } = await npm(["run", "up"]);
      assert.notEqual(exitCode, 0);
      assert.match(all, /"worker-minmal" is no image of the catalogue/);
      assert.match(all, /did you mean "worker-minimal"\?/);
    });
  });
});

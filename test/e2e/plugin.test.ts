import assert from "node:assert/strict";
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { RegistryClient } from "../../oci/client.ts";
import { copyImage } from "../../oci/copy.ts";
import { VERDICT } from "../../oci/verdict.ts";
import { openHistory } from "../../toolchain/history.ts";
import { home } from "../../toolchain/home.ts";
import { silent } from "../../toolchain/progress.ts";
import { ensureServices, purgeServices, servicesStatus, stopServices } from "../../toolchain/services/index.ts";
import { ensureTool } from "../../toolchain/tools.ts";
import { type TemporaryHome, temporaryHome } from "./home.ts";
import { busybox, makeProject, type TestImage, type TestProject } from "./plugin/project.ts";

const dockerfile = (...lines: string[]) => ["ARG BASE_IMAGE", "FROM ${BASE_IMAGE}", ...lines, ""].join("\n");

/** Needs root, the toolchain and a way to the package mirrors. */
describe("the keelson plugin on the real engine", function () {
  this.timeout(600_000);
  let temporary: TemporaryHome;
  let project: TestProject;
  let other: TestProject;
  let registry: RegistryClient;

  before(async () => {
    temporary = await temporaryHome("pulumi", "buildctl", "buildkitd", "buildx", "runc", "docker-registry", "skopeo");
    [project, other] = [await makeProject(), await makeProject()];
    await openRegistry();
  });
  after(async () => {
    await project.remove();
    await other.remove();
    await stopServices(silent);
    await temporary.remove();
  });

  async function openRegistry(): Promise<void> {
    const { registry: endpoint } = await ensureServices(silent);
    registry = new RegistryClient({ host: endpoint.host, ca: await readFile(endpoint.ca, "utf8") });
  }

  const digestOf = async (name: string, reference: string) =>
    (await registry.headManifest(`plugin-test/${name}`, reference))?.digest;
  /** Tags that are not lists of what refers to an image: this registry has no other way to keep those. */
  const tagsOf = async (name: string) => {
    const tags = await registry.listTags(`plugin-test/${name}`);
    const lists = tags.filter((tag) => /^sha256-[0-9a-f]{64}$/.test(tag));
    for (const list of lists) assert.ok(await digestOf(name, list.replace("-", ":")), `${list} is about what is there`);
    return tags.filter((tag) => !lists.includes(tag));
  };
  /** A new image in every test, so that none knows what an earlier one left. */
  let serial = 0;
  const unique = (lines: string[], files: Record<string, string> = {}, more: TestImage["more"] = {}): TestImage => {
    const name = `image-${++serial}`;
    return { name, files: { Dockerfile: dockerfile(`ENV SERIAL=${serial}`, ...lines), ...files }, more };
  };
  const succeed = async (run: ReturnType<TestProject["up"]>) => {
    const done = await run;
    assert.ok(done.ok, done.text);
    return done;
  };
  const fail = async (run: ReturnType<TestProject["up"]>, ...patterns: RegExp[]) => {
    const done = await run;
    assert.ok(!done.ok, done.text);
    for (const pattern of patterns) assert.match(done.text, pattern);
    return done;
  };
  /** Processes that work in the project's folder: the plugin and what it started. */
  const workers = async (name?: string): Promise<number[]> => {
    const found: number[] = [];
    for (const pid of (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry)).map(Number)) {
      if (pid === process.pid) continue;
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => "");
      const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      if (cwd === project.root && (name === undefined || command.split("\0").some((part) => part.endsWith(name))))
        found.push(pid);
    }
    return found;
  };
  const nothingLeft = async () => {
    for (let i = 0; i < 100 && (await workers()).length > 0; i++) await sleep(100);
    assert.deepEqual(await workers(), [], "no process is left behind");
  };
  const noFolderLeft = async () => {
    const left = await readdir(join(home().tmp)).catch(() => []);
    assert.deepEqual(
      left.filter((name) => name.startsWith("image-")),
      [],
      "no folder is left behind",
    );
  };

  it("builds each platform on its own, tests it, and says so in the preview before", async () => {
    const web = unique(
      ["COPY hello.txt /srv/", "RUN uname -m > /srv/machine"],
      {
        "hello.txt": "hello\n",
        // No route leads out of the test: another platform's program on the same port can't answer for this one.
        "smoke.sh": '#!/bin/sh\n[ "$(cat /srv/hello.txt)" = hello ] && [ "$(tail -n +2 /proc/net/route)" = "" ]\n',
        ".dockerignore": "smoke.sh\n",
      },
      { smoke: "smoke.sh", tags: ["first"] },
    );
    project.images = [busybox, web];
    const preview = await succeed(project.preview());
    assert.deepEqual(preview.changes, { create: 3 });
    assert.deepEqual(await tagsOf(web.name), [], "a preview changes nothing");

    await succeed(project.up());
    const digest = await digestOf(web.name, "first");
    assert.match(digest ?? "", /^sha256:/);
    const { document } = await registry.getManifest(`plugin-test/${web.name}`, digest ?? "");
    assert.deepEqual(document.kind === "index" && document.index.manifests.map((m) => m.platform), [
      { architecture: "amd64", os: "linux" },
      { architecture: "arm64", os: "linux" },
    ]);
    assert.deepEqual(
      (await tagsOf(web.name)).map((t) => t.slice(0, 2)),
      ["fi", "h-"],
    );
    const { stdout } = await execa((await ensureTool("skopeo")).path, [
      "inspect",
      "--tls-verify=false",
      "--override-arch=arm64",
      `docker://${registry.host}/plugin-test/${web.name}:first`,
    ]);
    assert.equal(JSON.parse(stdout).Architecture, "arm64");
    using history = openHistory(project.root);
    assert.deepEqual(
      history.builds(web.name, "linux/arm64", 5).map((b) => [b.outcome, b.mode, b.steps]),
      [["built", "qemu", 2]],
    );
    await nothingLeft();
  });

  it("finds nothing to do the second time, and nothing to move in another checkout with no state", async () => {
    assert.deepEqual((await succeed(project.up())).changes, { same: 3 });

    other.images = project.images;
    const preview = await succeed(other.preview());
    const [, web] = project.images;
    assert.ok(web);
    assert.match(preview.text, new RegExp(`${await digestOf(web.name, "first")}`), "the preview knows the digest");
    const before = await storage();
    await succeed(other.up());
    assert.deepEqual(await storage(), before, "the registry got nothing");
    using history = openHistory(other.root);
    assert.deepEqual(history.builds(web.name, "linux/amd64", 5), []);
  });

  /** Files of the registry, with their sizes. */
  async function storage(): Promise<string> {
    const { stdout } = await execa("find", [
      join(home().services, "registry"),
      "-path",
      "*/blobs/*",
      "-name",
      "data",
      "-size",
      "+0",
    ]);
    return stdout.split("\n").toSorted().join("\n");
  }

  describe("an image that is found", () => {
    const REPOSITORY = "plugin-test/";
    let web: TestImage;
    let hash: string;
    let digest: string;

    before(async () => {
      web = unique(
        ["COPY hello.txt /srv/"],
        {
          "hello.txt": "found\n",
          "smoke.sh": '#!/bin/sh\n[ "$(cat /srv/hello.txt)" = found ]\n',
          ".dockerignore": "smoke.sh\n",
        },
        { smoke: "smoke.sh" },
      );
      project.images = [busybox, web];
      await succeed(project.up());
      [hash = ""] = await tagsOf(web.name);
      digest = (await digestOf(web.name, hash)) ?? "";
    });
    beforeEach(() => forget());

    /** A checkout whose state has no such image. */
    async function forget(): Promise<void> {
      other.images = [busybox];
      await succeed(other.up());
    }
    const builtByOther = () => {
      using history = openHistory(other.root);
      return history.builds(web.name, "linux/amd64", 5).length;
    };
    /** Whatever has to be run would have to be run here. */
    const nowhere: TestImage["more"] = {
      builder: { remote: { nodes: [{ name: "gone", address: "tcp://127.0.0.1:1", platforms: ["linux/amd64"] }] } },
      builds: [
        { platform: "linux/amd64", node: "gone", mode: "native" },
        { platform: "linux/arm64", node: "gone", mode: "qemu" },
      ],
    };
    const verdicts = async () =>
      (await registry.referrers(REPOSITORY + web.name, digest)).filter((r) => r.artifactType === VERDICT);
    const dropVerdicts = async () => {
      const list = await registry.headManifest(REPOSITORY + web.name, digest.replace(":", "-"));
      await registry.deleteManifest(REPOSITORY + web.name, list?.digest ?? "");
      assert.deepEqual(await verdicts(), []);
    };

    it("is taken as its verdict says, with no builder and no write", async () => {
      assert.equal((await verdicts()).length, 1);
      const before = await storage();
      other.images = [busybox, { ...web, more: { ...web.more, ...nowhere } }];
      const preview = await succeed(other.preview());
      assert.match(preview.text, new RegExp(digest), "the preview knows the digest");
      await succeed(other.up());
      assert.deepEqual(await storage(), before);
    });

    it("is tested first where it has no verdict, not built, and gets the same verdict again", async () => {
      const [verdict] = await verdicts();
      await dropVerdicts();
      other.images = [busybox, { ...web, more: { ...web.more, ...nowhere } }];
      await fail(other.up(), /node gone does not answer/);
      assert.deepEqual(await verdicts(), []);
      other.images = [busybox, web];
      await succeed(other.up());
      assert.deepEqual(await verdicts(), [verdict], "byte for byte");
      assert.equal(builtByOther(), 0);
    });

    it("is not taken with a smoke test or a budget that it fails here, though it passed elsewhere", async () => {
      const strict = { ...web.files, "smoke.sh": "#!/bin/sh\necho stricter here; exit 4\n" };
      other.images = [busybox, { ...web, files: strict }];
      await fail(
        other.up(),
        /2 of 2 platforms failed/,
        /stricter here/,
        /was there already, and nobody had tested it as this stack asks: it is not taken/,
      );
      other.images = [busybox, { ...web, more: { ...web.more, budget: { unpacked: "1 MB" } } }];
      await fail(other.up(), /size\/unpacked/, /its budget is 1 MB/, /or delete it there/);
      assert.equal(builtByOther(), 0);
      assert.equal((await verdicts()).length, 1, "a failed test is no verdict");
    });

    it("is not taken where someone else's stands under its hash, even with a verdict of its own", async () => {
      const foreign = unique(
        ["RUN mkdir -p /root/.ssh && echo key > /root/.ssh/id_rsa"],
        {},
        { gates: { severity: { secret: "off", labels: "off", user: "off", init: "off" } } },
      );
      project.images = [busybox, web, foreign];
      await succeed(project.up());
      const [tag = ""] = await tagsOf(foreign.name);
      const { digest: evil } = await copyImage({
        from: { client: registry, repository: REPOSITORY + foreign.name },
        to: { client: registry, repository: REPOSITORY + web.name },
        reference: tag,
        tags: [hash],
      });
      assert.equal(await digestOf(web.name, hash), evil);
      other.images = [busybox, web];
      await fail(other.up(), /secret\/file/, /\.ssh\/id_rsa/, /or delete it there/);

      await registry.deleteManifest(REPOSITORY + web.name, evil);
      await succeed(other.up());
      assert.equal(await digestOf(web.name, hash), digest, "built anew, and the same");
      assert.equal(builtByOther(), 1);
    });

    it("does not get a tag on which someone put another image, and nothing else is written", async () => {
      const tagged = unique(["RUN true"], {}, { tags: ["taken"] });
      const [base = ""] = await tagsOf("busybox");
      const { digest: others } = await copyImage({
        from: { client: registry, repository: "plugin-test/busybox" },
        to: { client: registry, repository: REPOSITORY + tagged.name },
        reference: base,
        tags: ["taken"],
      });
      project.images = [busybox, tagged];
      await fail(project.up(), new RegExp(`:taken stands on ${others} already, and never moves`), /fix: /);
      assert.deepEqual(await tagsOf(tagged.name), ["taken"]);
      const list = await digestOf(tagged.name, others.replace(":", "-"));
      for (const gone of [others, list ?? ""]) await registry.deleteManifest(REPOSITORY + tagged.name, gone);
      await succeed(project.up());
      assert.deepEqual((await tagsOf(tagged.name)).map((t) => t.slice(0, 2)).toSorted(), ["h-", "ta"]);
    });
  });

  it("builds anew exactly what sees a change", async () => {
    const web = unique(["COPY hello.txt /srv/"], { "hello.txt": "one\n", ignored: "1", ".dockerignore": "ignored\n" });
    const still = unique(["RUN true"]);
    project.images = [busybox, web, still];
    await succeed(project.up());
    project.images = [busybox, { ...web, files: { ...web.files, ignored: "2" } }, still];
    assert.deepEqual((await succeed(project.up())).changes, { same: 4 });
    project.images = [busybox, { ...web, files: { ...web.files, "hello.txt": "two\n" } }, still];
    const changed = await succeed(project.preview());
    assert.deepEqual(changed.changes, { same: 3, update: 1 });
    assert.match(changed.text, /~ contentHash/);
    assert.deepEqual((await succeed(project.up())).changes, { same: 3, update: 1 });
  });

  it("has the same digest from an empty builder and an empty registry", async () => {
    const web = unique(
      ["COPY hello.txt /srv/", "RUN mkdir /srv/made && date > /dev/null && echo x > /srv/made/x"],
      {
        "hello.txt": "hello\n",
      },
      { tags: ["same"] },
    );
    project.images = [busybox, web];
    await succeed(project.up());
    const before = await digestOf(web.name, "same");
    await purgeServices();
    await openRegistry();
    assert.equal(await digestOf(web.name, "same"), undefined);
    assert.deepEqual(
      (await succeed(project.up())).changes,
      { same: 1, update: 2 },
      "the vanished images are made again",
    );
    assert.equal(await digestOf(web.name, "same"), before);
  });

  it("says which platform failed in which step, keeps the other, and reuses it", async () => {
    const web = unique(["RUN echo first; echo second >&2", 'RUN [ "$(uname -m)" = x86_64 ]']);
    project.images = [busybox, web];
    await fail(
      project.up(),
      /1 of 2 platforms failed/,
      /linux\/arm64 \(under QEMU on node local\): in step \[3\/3\] RUN \[ "\$\(uname -m\)" = x86_64 \]/,
      />>> RUN \[ "\$\(uname -m\)" = x86_64 \]/,
      /linux\/amd64 was built in [\d.]+s and is kept/,
      /fix: mend that step/,
    );
    const tags = await tagsOf(web.name);
    assert.equal(tags.length, 1);
    assert.match(tags[0] ?? "", /^h-[0-9a-f]{64}-linux-amd64$/, "the whole image has no tag");
    await fail(project.up(), /linux\/arm64/);
    using history = openHistory(project.root);
    assert.equal(history.builds(web.name, "linux/amd64", 5).length, 1, "amd64 was not built again");
    assert.equal(history.builds(web.name, "linux/arm64", 5).length, 2);
  });

  it("starts an image and polls its health, without a shell or a client of the image's own", async () => {
    const http = { port: 8080, path: "/health" };
    const serves = unique(
      ["RUN mkdir /www && echo ok > /www/health", 'CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]'],
      {},
      {
        health: { http, within: "30 s" },
        user: "0:0",
      },
    );
    const native: NonNullable<TestImage["more"]> = {
      builds: [{ platform: "linux/amd64", node: "local", mode: "native" }],
    };
    const silent = unique(
      ['CMD ["sh", "-c", "echo no database; sleep 60"]'],
      {},
      {
        ...native,
        health: { http, within: "2 s" },
      },
    );
    const ended = unique(
      ['ENTRYPOINT ["sh", "-c"]', 'CMD ["echo no table; exit 7"]'],
      {},
      {
        ...native,
        health: { http, within: "60 s" },
      },
    );
    project.images = [busybox, serves, silent, ended];
    await fail(
      project.up(),
      /the health that images\/image-\d+\/image\.ts defines failed: exit code: 1\n/,
      /no database/,
      /not healthy within 2 s: .*[Cc]onnection refused/,
      /its program ended with 7 before it was healthy/,
      /no table/,
    );
    assert.equal((await tagsOf(serves.name)).length, 1, "passed on both platforms");
    assert.deepEqual([await tagsOf(silent.name), await tagsOf(ended.name)], [[], []]);

    project.images = [busybox, { ...serves, more: { ...serves.more, health: { command: ["false"], within: "1 s" } } }];
    await fail(project.up(), /was there already, and nobody had tested it as this stack asks/);
    project.images = [busybox, { ...serves, more: { ...serves.more, health: { command: ["true"], within: "9 s" } } }];
    await succeed(project.up());
  });

  it("gives no tag to an image that fails its smoke test or its gates", async () => {
    const smoke = unique(
      ["RUN true"],
      { "smoke.sh": "#!/bin/sh\necho not today; exit 3\n", ".dockerignore": "smoke.sh\n" },
      { smoke: "smoke.sh" },
    );
    const fat = unique(["RUN dd if=/dev/urandom of=/big bs=1M count=3"], {}, { budget: { unpacked: "4 MB" } });
    project.images = [busybox, smoke, fat];
    await fail(
      project.up(),
      /the smoke test images\/image-\d+\/smoke\.sh failed: .*exit code: 3\n\s+not today/,
      /size\/unpacked/,
      /its budget is 4 MB/,
    );
    assert.deepEqual(await tagsOf(smoke.name), []);
    assert.deepEqual(await tagsOf(fat.name), []);

    const mended = { ...smoke, files: { ...smoke.files, "smoke.sh": "#!/bin/sh\ntrue\n" } };
    project.images = [busybox, mended, { ...fat, more: { budget: { unpacked: "9 MB" } } }];
    await succeed(project.up());
    const stricter = { ...mended, files: { ...smoke.files, "smoke.sh": "#!/bin/sh\nfalse\n" } };
    project.images = [busybox, stricter, fat];
    await fail(project.up(), /smoke test/, /its budget is 4 MB/);
  });

  it("leaves moving tags to a promote, and says in the preview which it would move", async () => {
    const web = unique(["RUN echo one > /version"], {}, { tags: ["1.2.3"] });
    project.images = [busybox, web];
    let shown = "";
    await project.stack.preview({ color: "never", onOutput: (piece) => (shown += piece) });
    assert.match(shown, /; a promote moves 1\.2 \(new\), 1 \(new\), latest \(new\)/);
    await succeed(project.up());
    assert.deepEqual(
      (await tagsOf(web.name)).filter((tag) => !tag.startsWith("h-")),
      ["1.2.3"],
    );
  });

  it("is made again after a refresh found it gone", async () => {
    const web = unique(["RUN true"], {}, { tags: ["kept"] });
    project.images = [busybox, web];
    await succeed(project.up());
    const digest = await digestOf(web.name, "kept");
    await registry.deleteManifest(`plugin-test/${web.name}`, digest ?? "");
    assert.equal((await succeed(project.refresh())).changes.delete, 1);
    assert.equal((await succeed(project.up())).changes.create, 1);
    assert.equal(await digestOf(web.name, "kept"), digest);
  });

  it("puts no absolute path into the state, so that every checkout has the same", async () => {
    const web = unique(["RUN true"]);
    project.images = [busybox, web];
    await succeed(project.up());
    const { deployment } = JSON.parse(await project.state());
    const state = JSON.stringify(
      deployment.resources.map((r: Record<string, unknown>) => [r.id, r.inputs, r.outputs, r.dependencies]),
    );
    assert.match(state, /plugin-test\/image/);
    for (const path of [project.root, home().root, process.cwd()]) assert.ok(!state.includes(path), path);
  });

  describe("faults", () => {
    let slow: TestImage;
    beforeEach(async () => {
      project.extra = () => {};
      slow = unique(["RUN echo started && sleep 6 && echo done > /done"]);
      project.images = [busybox];
      await succeed(project.up());
      project.images = [busybox, slow];
    });
    const whenBuilding = (act: () => unknown) => {
      let acted = false;
      return (text: string) => {
        if (acted || !text.includes("sleep 6")) return;
        acted = true;
        act();
      };
    };
    const recovers = async () => {
      await nothingLeft();
      await succeed(project.up());
      await noFolderLeft();
      assert.equal((await tagsOf(slow.name)).length, 1);
      assert.deepEqual((await succeed(project.up())).changes, { same: 3 });
    };

    it("a plugin that is killed", async () => {
      await fail(project.up(whenBuilding(async () => killAll(await workers("plugins/keelson/start.mjs")))), /error/);
      await recovers();
    });

    it("a buildx that is killed", async () => {
      await fail(
        project.up(whenBuilding(async () => killAll(await workers("buildx")))),
        /2 of 2 platforms failed/,
        /SIGKILL/,
      );
      await recovers();
    });

    it("a builder that dies", async () => {
      const buildkit = async () => {
        for (const { name, pid } of await servicesStatus()) if (name.startsWith("buildkit") && pid) killAll([pid]);
      };
      await fail(
        project.up(whenBuilding(buildkit)),
        /2 of 2 platforms failed/,
        /fix: see that the builder's node runs/,
      );
      await recovers();
    });

    it("a registry that is gone when the push begins", async () => {
      const stop = async () => {
        for (const { name, pid } of await servicesStatus()) if (name === "registry" && pid) killAll([pid]);
      };
      await fail(project.up(whenBuilding(stop)), /failed to push|can't be reached|does not answer/, /fix: /);
      await recovers();
    });

    for (const signal of ["SIGINT", "SIGKILL"] as const)
      it(`an engine that gets ${signal}`, async () => {
        const engine = async () => {
          const [pid] = await engines();
          assert.ok(pid);
          process.kill(pid, signal);
        };
        const done = await fail(project.up(whenBuilding(engine)));
        if (signal === "SIGINT") assert.match(done.text, /error: cancelled/);
        await nothingLeft();
        await project.stack.cancel().catch(() => undefined); // the lock of the one that was killed
        await recovers();
      });

    /** The engine of the run that is under way: a child of this process. */
    async function engines(): Promise<number[]> {
      const { stdout } = await execa("pgrep", ["-P", String(process.pid), "-f", "pulumi up"]);
      return stdout.split("\n").map(Number);
    }
  });
});

function killAll(pids: readonly number[]): void {
  for (const pid of pids) process.kill(pid, "SIGKILL");
}
